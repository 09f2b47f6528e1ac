-- wrk: sends the requests of a file (one a line: its headers, parted by \1, a tab, its body) in turn over kept connections, and prints the
-- figures as one line of JSON.
local requests, at = {}, 0

function init()
    local method = os.getenv("BENCH_METHOD")
    for line in io.lines(os.getenv("BENCH_REQUESTS")) do
        local head, body = line:match("^(.-)\t(.*)$")
        local headers = {}
        for header, value in head:gmatch("([^\1:]+): ([^\1]*)") do headers[header] = value end
        requests[#requests + 1] = wrk.format(method, nil, headers, method == "POST" and body or nil)
    end
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"seconds":%.6f,"bytes":%d,"errors":%d,"p50":%.6f,"p99":%.6f}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
