#!/usr/bin/env python3
"""A demo service that knows nothing about tokens: it answers with the request as it received it.

The answer is JSON: method, path and headers; a header that came more than once is a list.
"""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """Answers any request with what it was."""

    protocol_version = "HTTP/1.1"
    # Headers and body are two writes; else the second waits 40 ms for the word that the first has come.
    disable_nagle_algorithm = True

    def echo(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {}
        for name, value in self.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        headers = {name: values[0] if len(values) == 1 else values for name, values in headers.items()}
        body = (json.dumps({"method": self.command, "path": self.path, "headers": headers}, indent=2) + "\n").encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = echo


def main():
    parser = argparse.ArgumentParser(description="A demo service that answers with the request as it received it.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8081)
    options = parser.parse_args()
    server = ThreadingHTTPServer((options.host, options.port), Echo)
    print(f"service on http://{options.host}:{server.server_port}", file=sys.stderr, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
