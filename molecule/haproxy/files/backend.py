"""Stand-in for application servers (ports 8001 to 8003) and a media server (8080): tells what it was asked.

A query of "seconds=2" makes the answer take its time, "origin=X" lets X use it, "die" ends the process. Port 9000 takes
orders from the tests: /die, /unready, /ready, and /log for the paths of the requests processed since the start.
"""

import http.server
import json
import os
import socket
import threading
import time
import urllib.parse

STATE = {"ready": True}
LOG = []


class Site(http.server.BaseHTTPRequestHandler):
    """Answers everything with a description of the request."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Describe the request as JSON."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        length = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if url.path.startswith("/-/"):
            media = self.server.server_port == 8080
            known = url.path == ("/-/alive" if media else "/-/ready") and self.headers["Host"] in (
                "news.test",
                "shop.test",
                "club.test",
            )
            self.send(200 if known and STATE["ready"] and "X-Forwarded-For" not in self.headers else 503, {})
            return
        LOG.append(self.path)
        if "die" in query:
            os._exit(1)
        time.sleep(float(query.get("seconds", 0)))
        self.send(
            200,
            {
                "server": socket.gethostname(),
                "port": self.server.server_port,
                "process": os.getpid(),
                "path": self.path,
                "headers": [[name.lower(), value] for name, value in self.headers.items()],
                "length": length,
            },
            query.get("origin"),
        )

    def send(self, status: int, content: object, origin: str | None = None) -> None:
        """Send JSON."""
        body = json.dumps(content).encode()
        self.send_response(status)
        if origin:
            self.send_header("Access-Control-Allow-Origin", origin)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


class Orders(Site):
    """Changes how this server behaves."""

    def answer(self) -> None:
        """Obey."""
        if self.path == "/die":
            os._exit(1)
        if self.path != "/log":
            STATE["ready"] = self.path == "/ready"
        self.send(200, LOG)


class Server(http.server.ThreadingHTTPServer):
    """Answers many requests at a time."""

    request_queue_size = 128
    daemon_threads = True


for handler in Site, Orders:
    for method in "GET", "HEAD", "POST", "OPTIONS", "TRACE":
        setattr(handler, f"do_{method}", handler.answer)
for port, handler in (8001, Site), (8002, Site), (8003, Site), (8080, Site), (9000, Orders):
    threading.Thread(target=Server(("", port), handler).serve_forever).start()
