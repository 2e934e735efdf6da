"""Readers of the floating address, and the hosts that may hold it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
import time
from pathlib import Path

import requests
import testinfra
from waiting import until

ADDRESS, ADDRESS_6 = "10.89.125.100", "fd00:89:125::100"
NAMES = ("one", "two")
HERE = Path(__file__).parents[1]


def container(name: str) -> str:
    """Return the name of a host's container."""
    return f"tiered-{os.environ['LAB_NAME']}-{name}"


def podman(*words: str) -> None:
    """Do something to a container from outside."""
    subprocess.run(["podman", *words], check=True, capture_output=True)


def hosts() -> dict[str, testinfra.host.Host]:
    """Return all hosts by their names."""
    return {name: testinfra.get_host(f"podman://{container(name)}") for name in NAMES}


def addresses(host: testinfra.host.Host) -> set[str]:
    """Return which of the floating addresses a host has."""
    return {ADDRESS, ADDRESS_6} & {
        line.split()[3].split("/")[0] for line in host.check_output("ip -o addr").splitlines()
    }


def holders() -> list[str]:
    """Return the names of all hosts that hold any of the addresses."""
    return [name for name, host in hosts().items() if addresses(host)]


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


class Watch(threading.Thread):
    """Asks the floating address twenty times a second, a new connection each, and notes who answers when."""

    def __init__(self, most_seconds: float = 90) -> None:
        """Watch until the block ends or the time is over."""
        super().__init__(daemon=True)
        self.answers: list[tuple[float, str]] = []
        self.end = time.monotonic() + most_seconds

    def run(self) -> None:
        """Ask again and again."""
        while time.monotonic() < self.end:
            try:
                name = requests.get(f"http://{ADDRESS}/", timeout=0.4).text
                self.answers.append((time.monotonic(), name))
            except requests.RequestException:
                pass
            time.sleep(0.05)

    def __enter__(self) -> Watch:
        """Begin with an answer."""
        self.start()
        until(lambda: self.answers)
        return self

    def __exit__(self, *_exception: object) -> None:
        """End with one."""
        known = len(self.answers)
        until(lambda: len(self.answers) > known)
        self.end = 0
        self.join(5)

    @property
    def now(self) -> str:
        """Who has answered last."""
        return self.answers[-1][1]

    @property
    def gap(self) -> float:
        """The longest time without an answer."""
        times = [moment for moment, _ in self.answers]
        return max(after - before for before, after in itertools.pairwise(times))

    @property
    def moves(self) -> int:
        """How often somebody else answered than before."""
        names = [name for _, name in self.answers]
        return sum(before != after for before, after in itertools.pairwise(names))
