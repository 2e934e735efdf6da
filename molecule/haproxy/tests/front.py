"""The balancer as clients see it, the servers behind it, and HAProxy's own view."""

from __future__ import annotations

import csv
import http.client
import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

HERE = Path(__file__).parents[1]
AUTHORITY = Path(os.environ["LAB_CACHE"], os.environ["LAB_NAME"], "secrets", "certificates", "ca.crt")


@dataclass
class Answer:
    """What came back."""

    status_code: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def request(self) -> dict:
        """What the server behind the balancer was asked."""
        return json.loads(self.text)

    def seen(self, header: str) -> list[str]:
        """All values of one header that the server behind the balancer got."""
        return [value for name, value in self.request["headers"] if name == header]


class Front:
    """The public face of one balancer."""

    def __init__(self, address: str) -> None:
        """Reach it at this address, whatever the name."""
        self.address = address

    def connect(
        self, name: str | None = "news.test", *, verify: bool = True, alpn: tuple = ("http/1.1",)
    ) -> ssl.SSLSocket:
        """Open a TLS connection."""
        context = ssl.create_default_context(cafile=AUTHORITY)
        context.set_alpn_protocols(alpn)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(socket.create_connection((self.address, 443), timeout=20), server_hostname=name)

    def connection(
        self, name: str | None = "news.test", scheme: str = "https", **tls: object
    ) -> http.client.HTTPConnection:
        """Open a connection for requests."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        if scheme == "https":
            connection.sock = self.connect(name, **tls)
            connection.auto_open = False
        return connection

    def ask(
        self,
        path: str,
        *,
        host: str = "news.test",
        method: str = "GET",
        body: object = None,
        headers: dict | None = None,
        scheme: str = "https",
        chunked: bool = False,
        **tls: object,
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = self.connection(tls.pop("name", host), scheme, **tls)
        try:
            return send(connection, path, host, method, body, headers, chunked=chunked)
        finally:
            connection.close()

    def reader(self) -> Reader:
        """Return a client for molecule's load."""
        return Reader(self)


def send(connection, path, host="news.test", method="GET", body=None, headers=None, *, chunked=False) -> Answer:
    """Send one request on an open connection."""
    connection.request(method, path, body=body, headers={"Host": host, **(headers or {})}, encode_chunked=chunked)
    answer = connection.getresponse()
    return Answer(answer.status, answer.headers, answer.read().decode())


class Reader:
    """One request, in the shape of a requests session."""

    def __init__(self, front: Front) -> None:
        """Ask this balancer."""
        self.front = front

    def __enter__(self) -> Reader:
        """Begin."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End."""

    def get(self, path: str, **_options: object) -> Answer:
        """Ask for a path."""
        try:
            return self.front.ask(path)
        except (OSError, http.client.HTTPException) as error:
            raise requests.ConnectionError(repr(error)) from error


class Faithful(threading.Thread):
    """A client that stays on its connection until it is told to close."""

    def __init__(self, front: Front) -> None:
        """Ask this balancer until stopped."""
        super().__init__(daemon=True)
        self.front, self.answers, self.failures = front, 0, []
        self.over = threading.Event()

    def run(self) -> None:
        """Ask again and again."""
        connection = None
        while not self.over.is_set():
            try:
                connection = connection or self.front.connection()
                answer = send(connection, "/faithful")
                self.answers += 1
                if answer.status_code != http.HTTPStatus.OK:
                    self.failures.append(answer.status_code)
                if connection.sock is None or answer.headers.get("Connection") == "close":
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
            self.over.wait(0.02)

    def __enter__(self) -> Faithful:
        """Begin."""
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Finish the last request."""
        self.over.set()
        self.join(30)


def order(address: str, what: str) -> list[str]:
    """Tell a server how to behave."""
    connection = http.client.HTTPConnection(address, 9000, timeout=5)
    try:
        connection.request("GET", what)
        return json.loads(connection.getresponse().read() or "[]")
    except (http.client.HTTPException, ConnectionError):
        return []  # as ordered: it died
    finally:
        connection.close()


def playbook(name: str, *arguments: str, **variables: object) -> subprocess.CompletedProcess:
    """Run one of the scenario's playbooks."""
    return subprocess.run(
        ["ansible-playbook", str(HERE / f"{name}.yml"), f"--extra-vars={json.dumps(variables)}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "false"},
    )


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """Do things at the same time and return what came of each."""
    results: list = [None] * len(calls)

    def run(index: int, call: Callable[[], Answer]) -> None:
        results[index] = call()

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


class HAProxy:
    """The running HAProxy, through its administration socket."""

    def __init__(self, host: object) -> None:
        """Reach it on this host."""
        self.host = host

    def tell(self, command: str) -> str:
        """Send a command."""
        return self.host.check_output("/usr/local/sbin/haproxy-runtime %s", command)

    def status(self) -> dict[str, str]:
        """Return the status of each BACKEND/SERVER."""
        table = csv.DictReader(self.tell("show stat").removeprefix("# ").splitlines())
        return {
            f"{row['pxname']}/{row['svname']}": row["status"]
            for row in table
            if row["svname"] not in ("FRONTEND", "BACKEND")
        }

    def rates(self, table: str) -> dict[str, int]:
        """Return how many requests each client has made of a backend in the last ten seconds."""
        lines = self.tell(f"show table {table}").splitlines()[1:]
        entries = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines if line]
        return {entry["key"]: int(entry["http_req_rate(10000)"]) for entry in entries}

    def addresses(self) -> dict[str, str]:
        """Return the address and port of each BACKEND/SERVER."""
        lines = [line.split(" ") for line in self.tell("show servers state").splitlines()[2:]]
        return {f"{line[1]}/{line[3]}": f"{line[4]}:{line[18]}" for line in lines}
