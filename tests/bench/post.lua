-- wrk: posts the requests of a file (one a line: key, tenant, body, separated by tabs) in turn over kept connections, and
-- prints the figures as one line of JSON.
local requests, at = {}, 0

function init()
    for line in io.lines(os.getenv("BENCH_REQUESTS")) do
        local key, tenant, body = line:match("^(.-)\t(.-)\t(.*)$")
        local headers = { ["Content-Type"] = "application/json", ["X-Client-Key"] = key, ["X-Tenant"] = tenant }
        for header, value in os.getenv("BENCH_HEADERS"):gmatch("(%S+): (%S+)") do headers[header] = value end
        requests[#requests + 1] = wrk.format("POST", nil, headers, body)
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
