"""The WSGI application of the site, with answers to the balancers' health checks around it.

/-/alive  this process serves requests
/-/ready  this process can do its work: database, cache and migrations, as JSON; 200 or 503

Only the addresses in TIERED_HEALTH_CLIENTS get these answers, and only when nobody stands between them and this server.
Everything else is the project's.
"""

import concurrent.futures
import ipaddress
import json
import logging
import os
import secrets
import socket
import threading
import time

from django.conf import settings
from django.core.cache import caches
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

os.environ["DJANGO_SETTINGS_MODULE"] = "tiered_settings"

ALIVE, READY = "/-/alive", "/-/ready"
# A check that takes longer has failed: the balancer would not wait for it either.
CHECK_SECONDS = 4
# Reading all migrations takes a while, and applied ones stay applied.
MIGRATIONS_SECONDS = 60

logger = logging.getLogger(__name__)


class Readiness:
    """Finds out whether this process can do its work.

    The checks run in a thread of their own, with a database connection of their own: a database that never answers
    holds up this one thread, not those that serve requests.
    """

    def __init__(self):
        self.lock = threading.Lock()
        self.executor = None
        self.running = None
        self.applied_until = 0.0

    def report(self):
        """Return what works and what does not, within CHECK_SECONDS."""
        with self.lock:
            if self.executor is None:
                self.executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="ready")
            if self.running is None or self.running.done():
                self.running = self.executor.submit(self.check)
            running = self.running
        try:
            return running.result(CHECK_SECONDS)
        except concurrent.futures.TimeoutError:
            return {"database": "timeout", "cache": "unknown", "migrations": "unknown"}

    def check(self):
        """Ask the cache and the database."""
        return {"cache": self.check_cache(), **self.check_database()}

    @staticmethod
    def check_cache():
        """Write a value and read it again."""
        key, value = f"tiered-ready-{secrets.token_hex(4)}", secrets.token_hex(4)
        try:
            cache = caches["default"]
            cache.set(key, value, 10)
            found = cache.get(key)
            cache.close()
        except Exception:
            logger.exception("the cache fails")
            return "unreachable"
        return "ok" if found == value else "unreachable"

    def check_database(self):
        """Open a connection, ask for something, and see whether all migrations of this code are applied."""
        connection = connections["default"]
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchone()
            database = "ok"
            if time.monotonic() >= self.applied_until:
                executor = MigrationExecutor(connection)
                if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                    return {"database": database, "migrations": "missing"}
                self.applied_until = time.monotonic() + MIGRATIONS_SECONDS
        except Exception as error:
            # One line: this is asked every few seconds for as long as the trouble lasts.
            logger.error("the database fails: %s", str(error).strip().replace("\n", " "))
            return {"database": "unreachable", "migrations": "unknown"}
        finally:
            connection.close()
        return {"database": database, "migrations": "applied"}


class Entry:
    """A WSGI application that answers health checks itself and gives the rest to the project."""

    def __init__(self, application):
        self.application = application
        self.readiness = Readiness()
        self.clients = [ipaddress.ip_network(client) for client in settings.TIERED_HEALTH_CLIENTS]
        self.server = os.environ.get("TIERED_SERVER") or socket.gethostname()
        self.headers = []
        if settings.TIERED_SERVED_BY_HEADER:
            self.headers = [("X-Served-By", self.server), ("X-Release", settings.TIERED_RELEASE)]

    def __call__(self, environ, start_response):
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path in (ALIVE, READY) and self.may_ask(environ):
            return self.answer(environ, path, start_response)
        if not self.headers:
            return self.application(environ, start_response)

        def start_with_headers(status, headers, exc_info=None):
            return start_response(status, [*headers, *self.headers], exc_info)

        return self.application(environ, start_with_headers)

    def may_ask(self, environ):
        """Tell whether a request comes from a balancer itself, not from somebody through a balancer."""
        if "HTTP_X_FORWARDED_FOR" in environ:
            return False
        try:
            address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self.clients)

    def answer(self, environ, path, start_response):
        """Answer a health check."""
        report = {"release": settings.TIERED_RELEASE, "server": self.server}
        healthy = True
        if path == READY:
            report.update(self.readiness.report())
            # Without its cache the site is slower, but it is there.
            healthy = report["database"] == "ok" and report["migrations"] == "applied"
        body = json.dumps(report).encode() + b"\n"
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response("200 OK" if healthy else "503 Service Unavailable", headers)
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


application = Entry(get_internal_wsgi_application())
