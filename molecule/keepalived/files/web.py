"""A service that tells on which host it runs."""

import http.server
import socket


class Name(http.server.BaseHTTPRequestHandler):
    """Answers with the name of the host."""

    def do_GET(self) -> None:
        """Tell the name."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(socket.gethostname().encode())

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


http.server.ThreadingHTTPServer(("", 80), Name).serve_forever()
