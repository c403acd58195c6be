-- Every Nth request goes to a handler that blocks, the others to the quick one.
dofile("lua/report.lua")

local quick, slow, nth
local count = 0

function init(arguments)
  nth = tonumber(arguments[1])
  slow = wrk.format("GET", arguments[2])
  quick = wrk.format("GET", "/")
end

function request()
  count = count + 1
  if count % nth == 0 then
    return slow
  end
  return quick
end
