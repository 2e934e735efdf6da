"""An application that guards files, for the tests of nginx."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Application(BaseHTTPRequestHandler):
    """Answers by the first part of the path below /subscribers/."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Give out a file, refuse it, or show the request."""
        _, _, verb, *name = self.path.split("/", 3)
        accelerated = {"X-Accel-Redirect": "/-/protected/" + "".join(name)}
        plain = {"Content-Type": "text/plain", "Content-Disposition": 'inline; filename="x"'}
        if verb == "file":
            self.answer(200, accelerated)
        elif verb == "attachment":
            self.answer(200, accelerated | plain)
        elif verb == "html":
            self.answer(200, accelerated | {"Content-Type": "text/html; charset=utf-8"})
        elif verb == "request":
            said = {name.lower(): value for name, value in self.headers.items()}
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(said))
        else:
            self.answer(403, {"Content-Type": "text/plain"}, "for subscribers")

    do_HEAD = do_GET

    def answer(self, status, headers, body=""):
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())


ThreadingHTTPServer(("127.0.0.1", 8001), Application).serve_forever()
