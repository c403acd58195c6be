-- A body of N bytes with every request.
dofile("lua/report.lua")

local post

function init(arguments)
  post = wrk.format("POST", wrk.path, nil, string.rep("x", tonumber(arguments[1])))
end

function request()
  return post
end
