"""One HTTP request for the scripts: probe.py URL [HEADER:VALUE...] prints the status code, 0 when nobody answers.

With a header it POSTs tools/list, which tells whether a key is still good; without one it GETs.
"""

import sys
import urllib.error
import urllib.request


def main():
    url, *headers = sys.argv[1:]
    body = b'{"jsonrpc":"2.0","method":"tools/list","id":1}' if headers else None
    request = urllib.request.Request(url, data=body)
    for header in headers:
        name, _, value = header.partition(":")
        request.add_header(name, value.strip())
    if body:
        request.add_header("Content-Type", "application/json")
    # No proxy: the address is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        print(opener.open(request, timeout=5).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError:
        print(0)


main()
