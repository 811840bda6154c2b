-- Requests whose tokens come in turn from a file, one a line, all of one length. Arguments: the file, how many of its tokens,
-- and how many requests were made of them before.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    file, count, cursor = assert(io.open(args[1])), tonumber(args[2]), tonumber(args[3])
    token = file:read("*l")
    file:seek("set", cursor % count * (#token + 1))
    head = "GET /orders/42 HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: wrk\r\naccept: */*\r\nauthorization: Bearer "
end

function request()
    if count > 1 then
        if cursor % count == 0 then file:seek("set", 0) end
        token = file:read("*l")
    end
    cursor = cursor + 1
    return head .. token .. "\r\n\r\n"
end

function done(summary)
    local errors = summary.errors
    io.write(string.format('\n{"requests": %d, "refused": %d, "failed": %d, "cursor": %d}\n', summary.requests, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("cursor")))
end
