"""A writer whose every acknowledged row must be found again, and the servers that keep them."""

import json
import threading
import time

import pytest
from waiting import until

PSQL = "cd / && runuser -u postgres -- psql -XAtq"
UNIT = "postgresql@17-main.service"
DATA = "/var/lib/postgresql/17/main"


class Rows(threading.Thread):
    """Commit numbered rows through Django over HTTPS, one after another, until told to stop."""

    def __init__(self, editor, most=4000):
        super().__init__(daemon=True)
        self.acknowledged, self.failures, self.times = [], [], []
        self._editor, self._most, self._over = editor, most, threading.Event()
        self._desk = "/admin/articles/reporter/add/"
        self._series = f"row {time.monotonic_ns()}"

    def __enter__(self):
        self._editor.get(self._desk).raise_for_status()
        self.start()
        self.wait_for(5)
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self.join(30)
        assert not self.is_alive(), "a row is still being written"

    def wait_for(self, more, seconds=60):
        """Come back when so many more rows have been acknowledged."""
        enough = len(self.acknowledged) + more
        until(lambda: len(self.acknowledged) >= enough, seconds, f"{more} more rows. {self.failures[-3:]}")

    @property
    def pause(self):
        """The longest time in seconds between two rows that were acknowledged."""
        return max(later - earlier for earlier, later in zip(self.times, self.times[1:], strict=False))

    @property
    def report(self):
        """What happened, in a line."""
        said = f"{len(self.acknowledged)} rows acknowledged, {len(self.failures)} not, longest pause {self.pause:.1f} s"
        return "; ".join([said, *self.failures[:3]])

    def run(self):
        for number in range(self._most):
            if self._over.wait(0.02):
                return
            name = f"{self._series} {number}"
            try:
                answer = self._editor.post(
                    self._desk,
                    data={
                        "csrfmiddlewaretoken": self._editor.cookies["csrftoken"],
                        "name": name,
                        "title": "Counter",
                    },
                    headers={"Referer": self._editor.url},
                    allow_redirects=False,
                )
                if answer.headers.get("Location") != "/admin/articles/reporter/":
                    raise ValueError(f"status {answer.status_code}")
            # Whatever goes wrong, the next one is tried: the test decides what may fail.
            except Exception as failure:
                self.failures.append(f"{name}: {failure!r}"[:300])
            else:
                self.acknowledged.append(name)
                self.times.append(time.monotonic())


class Servers:
    """The database servers, asked as their administrator."""

    def __init__(self, site):
        self.site = site
        self.names = site.groups["database_servers"]

    def ask(self, name, sql, database="postgres"):
        """Return what a server answers."""
        return self.site.host(name).check_output(f"{PSQL} --command %s %s", sql, database)

    def wait_until_up(self, name):
        """Come back when a host has started."""
        host, states = self.site.host(name), ("running", "degraded")
        until(lambda: host.run("systemctl is-system-running").stdout.strip() in states, 60, f"{name} is up")

    @property
    def primary(self):
        """The one that takes writes."""
        question = f"{PSQL} --command 'SELECT pg_is_in_recovery()' postgres"
        states = {name: self.site.host(name).run(question) for name in self.names}
        (found,) = [name for name, state in states.items() if state.stdout.strip() == "f"]
        return found

    @property
    def replicas(self):
        """The others."""
        return [name for name in self.names if name != self.primary]

    def following(self):
        """Who receives the log of the primary."""
        sql = "SELECT coalesce(json_agg(application_name), '[]') FROM pg_stat_replication WHERE state = 'streaming'"
        return set(json.loads(self.ask(self.primary, sql)))

    def wait_until_all_follow(self, seconds=60):
        """Come back when both replicas receive the log."""
        until(lambda: self.following() == set(self.replicas), seconds, "both replicas follow")

    def rows(self, name=""):
        """All rows of all writers, as the server has them."""
        return set(self.ask(name or self.primary, "SELECT name FROM articles_reporter", self.site.name).splitlines())


@pytest.fixture(scope="session")
def servers(site):
    return Servers(site)


class Network:
    """The connections between the servers, which can be cut."""

    def __init__(self, site):
        self.site = site

    def command(self, *others):
        """Return the command that has a host send nothing to the others any more."""
        addresses = ", ".join(self.site.hosts[other]["ansible_host"] for other in others)
        return (
            "nft 'add table ip cut; add chain ip cut out { type filter hook output priority -10; };"
            f" add rule ip cut out ip daddr {{ {addresses} }} drop'"
        )

    def cut(self, name, *others):
        """Have a host send nothing to the others any more."""
        self.site.host(name).check_output(self.command(*others))

    def mend(self):
        """Take all cuts back."""
        for name in self.site.groups["database_servers"]:
            if "table ip cut" in self.site.host(name).check_output("nft list tables"):
                self.site.host(name).check_output("nft delete table ip cut")


@pytest.fixture
def network(site):
    """The network, whole again at the end."""
    network = Network(site)
    yield network
    network.mend()


@pytest.fixture
def rows(site):
    """A writer with a session of its own."""
    with site.editor() as editor:
        yield Rows(editor)
