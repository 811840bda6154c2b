"""chDB, which is ClickHouse as a library, behind the part of ClickHouse's HTTP interface that qryn uses.

chdb_http.py PORT FOLDER
"""

import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chdb import session


class Handler(BaseHTTPRequestHandler):
    """A statement in the parameter `query`, or in the body, or begun in the one and ended in the other."""

    protocol_version = "HTTP/1.1"
    database = None
    one_at_a_time = threading.Lock()

    def do_POST(self):
        parameters = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        one = {name: values[0] for name, values in parameters.items()}
        statement = one.get("query", "") + "\n" + self.body().decode()
        status, answer = 200, b""
        with self.one_at_a_time:
            try:
                if "database" in one:
                    self.database.query("USE " + one["database"])
                answer = self.database.query(statement, one.get("default_format", "TabSeparated")).bytes() or b""
            except Exception as error:  # its errors have no common base
                status, answer = 500, str(error).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST

    def body(self):
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        """It says nothing of requests."""


def main():
    port, folder = sys.argv[1:]
    Handler.database = session.Session(folder)
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


main()
