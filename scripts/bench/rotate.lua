-- Requests whose tokens come in turn from a file, one a line. Arguments: the file, how many of its tokens, where to begin.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    local count = tonumber(args[2])
    tokens, cursor = {}, tonumber(args[3])
    for line in io.lines(args[1]) do
        if #tokens == count then break end
        tokens[#tokens + 1] = line
    end
    head = "GET /orders/42 HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: wrk\r\naccept: */*\r\nauthorization: Bearer "
end

function request()
    cursor = cursor + 1
    return head .. tokens[(cursor - 1) % #tokens + 1] .. "\r\n\r\n"
end

function done(summary)
    local errors = summary.errors
    io.write(string.format('\n{"requests": %d, "refused": %d, "failed": %d, "cursor": %d}\n', summary.requests, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout, threads[1]:get("cursor")))
end
