-- DEPTH requests in one write, the next ones when all are answered.
dofile("lua/report.lua")

local requests

function init(arguments)
  local depth = tonumber(arguments[1])
  requests = string.rep(wrk.format("GET", "/"), depth)
end

function request()
  return requests
end
