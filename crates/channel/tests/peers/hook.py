"""A webhook endpoint for the tests, on Python's own HTTP server, HMAC and JSON.

usage: hook.py MODE CERTIFICATE KEY        MODE: plain or tls

Prints its port, then one JSON line for each request. The path is the answer: /202, /410, /503, /302 (to /202),
/drop (closes the connection without an answer), /slow (never answers).
"""

import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading

KEY = b"tiger-77"


class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = dict(part.split("=", 1) for part in self.headers.get("X-Steadfast-Signature", "").split(",") if part)
        signed = parts.get("t", "").encode() + b"." + body
        right = hmac.new(KEY, signed, hashlib.sha256).hexdigest()
        report = {
            "path": self.path,
            "signed": hmac.compare_digest(parts.get("v1", ""), right),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": json.loads(body),
        }
        print(json.dumps(report), flush=True)
        if self.path == "/slow":
            threading.Event().wait()
        if self.path == "/drop":
            self.close_connection = True
            return
        self.send_response(int(self.path[1:]))
        self.send_header("Location", "/202")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
server.daemon_threads = True
if sys.argv[1] == "tls":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
