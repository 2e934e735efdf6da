"""The site as its readers and editors meet it: at the balancer, by its name, over verified HTTPS."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import socket
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
import testinfra
from waiting import until

_getaddrinfo = socket.getaddrinfo


class Reader(requests.Session):
    """A browser: keeps cookies, verifies certificates, takes paths for addresses on the site."""

    def __init__(self, url: str, authority: Path) -> None:
        """Begin at `url` and trust the site's own authority only."""
        super().__init__()
        self.url = url
        self.verify = str(authority)
        self.trust_env = False
        # A kept connection may be closed just before the next request. Browsers try again, requests does not.
        self.headers["Connection"] = "close"

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask for a path of the site or a whole URL."""
        kwargs.setdefault("timeout", 20)
        return super().request(method, urljoin(self.url, url), *args, **kwargs)

    def submit(self, path: str, *, files: dict | None = None, form: str = "", **fields: Any) -> requests.Response:
        """Fill in the form on a page as a browser does, CSRF token and referrer included."""
        page = self.get(path)
        page.raise_for_status()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token, f"no form on {path}: {page.text[:300]}"
        return self.post(
            form or path,
            data={"csrfmiddlewaretoken": token[1], **fields},
            files=files,
            headers={"Referer": page.url},
            allow_redirects=False,
        )

    def log_in(self, name: str, password: str) -> None:
        """Go through the admin's own door."""
        answer = self.submit("/admin/login/", username=name, password=password, next="/admin/")
        assert answer.headers.get("Location") == "/admin/", answer.text[:2000]

    def photograph(self, path: str) -> requests.Response:
        """Fetch the picture that an article's page shows."""
        return self.get(re.search(r'<img src="([^"]*/media/[^"]+)"', self.get(path).text)[1])

    def publish(self, headline: str) -> Article:
        """Write an article with a photograph at the admin's desk."""
        desk = self.get("/admin/articles/article/add/").text
        choices = {
            name: re.search(rf'name="{name}".*?<option value="(\d+)"', desk, re.DOTALL)[1]
            for name in ("section", "reporter")
        }
        article = Article(headline, re.sub(r"\W+", "-", headline.lower()), picture())
        answer = self.submit(
            "/admin/articles/article/add/",
            files={"photograph": (f"{article.slug}.png", article.photograph, "image/png")},
            headline=headline,
            slug=article.slug,
            summary="In short.",
            body="At length.",
            published_at_0="2020-01-01",
            published_at_1="12:00:00",
            **choices,
        )
        assert answer.headers.get("Location") == "/admin/articles/article/", answer.text[:2000]
        article.taken_by = answer.headers["X-Served-By"]
        return article


@dataclass
class Article:
    """What an editor handed in, and the application server that took it."""

    headline: str
    slug: str
    photograph: bytes
    taken_by: str = ""

    @property
    def path(self) -> str:
        """Its address: the form's first section is the city's."""
        return f"/city/{self.slug}/"


def picture(side: int = 32) -> bytes:
    """Draw a PNG that nobody has seen before."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = b"".join(b"\0" + secrets.token_bytes(3 * side) for _ in range(side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@dataclass
class Site:
    """One deployed site: who stands in which tier, and how to reach it from outside."""

    name: str
    domain: str
    aliases: list[str]
    media_domain: str
    authority: Path
    groups: dict[str, list[str]]
    hosts: dict[str, dict[str, Any]]
    credentials: tuple[str, str] = ("", "")

    @classmethod
    def from_inventory(cls) -> Site:
        """Read the inventory under test."""
        listing = json.loads(_output("ansible-inventory", "--list"))
        hosts = listing.pop("_meta")["hostvars"]
        groups = {group: members.get("hosts", []) for group, members in listing.items()}
        shared = hosts[groups["balancers"][0]]
        # The roles' own default, when the inventory does not say.
        directory = _value("site_secrets_dir | default(inventory_dir ~ '.secrets')", groups["balancers"][0])
        site = cls(
            name=shared["site_name"],
            domain=shared["site_domain"],
            aliases=shared.get("site_aliases", []),
            media_domain=shared.get("site_media_domain", ""),
            authority=Path(directory, "certificates", "ca.crt"),
            groups=groups,
            hosts=hosts,
        )
        floating = shared.get("topology_floating_addresses", [])
        site.answer_at(floating[0].partition("/")[0] if floating else hosts[groups["balancers"][0]]["ansible_host"])
        return site

    def answer_at(self, address: str) -> None:
        """Resolve the site's names in this process as DNS will for the world, the balancers being at this address."""
        names = dict.fromkeys([self.domain, *self.aliases, self.media_domain], address)
        if self.hosts[self.groups["balancers"][0]].get("site_media_direct"):
            names[self.media_domain] = self.hosts[self.groups["media_servers"][0]]["ansible_host"]
        socket.getaddrinfo = lambda host, *args, **kwargs: _getaddrinfo(names.get(host, host), *args, **kwargs)

    @property
    def url(self) -> str:
        """The canonical address."""
        return f"https://{self.domain}/"

    @property
    def files_url(self) -> str:
        """What the addresses of files begin with on its pages."""
        return f"https://{self.media_domain}" if self.media_domain else ""

    def reader(self) -> Reader:
        """Somebody whom the site has never seen before."""
        return Reader(self.url, self.authority)

    def editor(self) -> Reader:
        """Somebody who has logged in to the admin."""
        reader = self.reader()
        reader.log_in(*self.credentials)
        return reader

    def container(self, name: str) -> str:
        """Say what the lab calls a host of the inventory."""
        return f"tiered-{os.environ['LAB_NAME']}-{name}"

    def kill(self, name: str) -> None:
        """Cut the power of a host."""
        self._hold_the_network()
        _output("podman", "kill", self.container(name))

    def start(self, name: str) -> None:
        """Give a host its power back."""
        self._hold_the_network()
        _output("podman", "start", self.container(name))

    def replace(self, name: str) -> None:
        """Put a new machine in the place of a host, at the same address and with nothing on it."""
        self._hold_the_network()
        _output("podman", "rm", "--force", "--volumes", "--time", "0", self.container(name))
        inventories = os.environ["ANSIBLE_INVENTORY"].split(",")
        create = str(Path(__file__).parent / "lab/create.yml")
        _output("ansible-playbook", *(f"--inventory={path.strip()}" for path in inventories), create)

    @property
    def holder(self) -> str:
        """The balancer that has the floating address; none while it moves."""
        balancers = self.groups["balancers"]
        address = self.hosts[balancers[0]]["topology_floating_addresses"][0]
        return next((name for name in balancers if address in self.host(name).check_output("ip address")), "")

    def _hold_the_network(self) -> None:
        """Keep the lab's bridge from changing its MAC address whenever a container comes or goes."""
        address = self.hosts[self.groups["balancers"][0]]["ansible_host"]
        bridge = json.loads(_output("ip", "-json", "route", "get", address))[0]["dev"]
        _output(
            "ip", "link", "set", "dev", bridge, "address", Path("/sys/class/net", bridge, "address").read_text().strip()
        )

    def host(self, name: str) -> Any:
        """Reach a host of the inventory, for commands on it."""
        return testinfra.get_host(f"podman://{self.container(name)}")

    def app_server(self) -> Any:
        """Any application server, for management commands."""
        return self.host(self.groups["app_servers"][0])

    def manage(self, *arguments: str, on: str = "", environment: dict[str, str] | None = None) -> str:
        """Run a management command as an operator does."""
        settings = [f"{name}={value}" for name, value in (environment or {}).items()]
        command = shlex.join(["env", *settings, f"{self.name}-manage", *arguments])
        done = self.host(on or self.groups["app_servers"][0]).run(command)
        assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def memcached(self, command: str) -> str:
        """Say something to every cache server, from an application server, and return what they say."""
        answers = []
        for name in self.groups["cache_servers"]:
            alone = self.groups["app_servers"] == self.groups["cache_servers"] == [name]
            address = "127.0.0.1" if alone else self.hosts[name]["private_address"]
            script = f"exec 3<>/dev/tcp/{address}/11211; printf '{command}\\r\\nquit\\r\\n' >&3; timeout 5 cat <&3"
            answers.append(self.app_server().check_output("bash -c %s", script))
        return "\n".join(answers)

    def from_each_server(
        self, ask: Callable[[], requests.Response], seconds: float = 10
    ) -> dict[str, requests.Response]:
        """Repeat a request until every application server has answered it once, noticed by the balancer."""
        answers: dict[str, requests.Response] = {}

        def complete() -> bool:
            answer = ask()
            answers.setdefault(answer.headers.get("X-Served-By", f"status {answer.status_code}"), answer)
            return set(self.groups["app_servers"]) <= set(answers)

        until(complete, seconds, "an answer of every application server", pause=0.02)
        assert set(answers) == set(self.groups["app_servers"]), f"answered by {sorted(answers)}"
        return answers


def _value(template: str, host: str) -> str:
    """Say what a template comes to on a host of the inventory."""
    output = _output("ansible", host, "--module-name=ansible.builtin.debug", f"--args=msg={{{{ {template} }}}}")
    return json.loads(output[output.index("{") :])["msg"]


def _output(*command: str) -> str:
    """Run a command and return what it says."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def reachable(address: str, port: int, seconds: float = 1.0) -> bool:
    """Say whether this machine can open a connection there."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def reachable_from(host: Any, address: str, port: int) -> bool:
    """Say whether that host can open a connection there."""
    return host.run("timeout 2 bash -c %s", f"exec 3<>/dev/tcp/{address}/{port}").rc == 0
