"""The two machines, runs of the role on them as after an edit of the inventory, and somebody who uploads."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import testinfra

HERE = Path(__file__).parents[1]
CONFIG = f"{os.environ['NFS_LAB']}/ssh_config"
MOUNT = "/srv/site/my-media"
DATA = "/srv/nfs/uploads/data"
UNIT = "nfs-uploads.service"
DJANGO = "setpriv --reuid 8100 --regid 33 --clear-groups"

# Saves files as Django does, says of each when it is written, and stops when it is told to.
WRITER = """
import os, select, sys, time
directory = sys.argv[1]
os.makedirs(directory)
number = 0
while not select.select([sys.stdin], [], [], 0.1)[0]:
    begun = time.time()
    try:
        with open(f"{directory}/{number}", "xb") as file:
            file.write(f"{number} ".encode() * (1 + number % 5 * 2000))
        print(number, time.time() - begun, flush=True)
    except OSError as error:
        print(number, time.time() - begun, repr(error), flush=True)
    number += 1
"""
# Names the files that are not there as a whole.
READER = """
import sys
for number in sys.stdin.read().split():
    try:
        data = open(f"{sys.argv[1]}/{number}", "rb").read()
    except OSError:
        data = b""
    data == f"{number} ".encode() * (1 + int(number) % 5 * 2000) or print(number)
"""


def host(name: str) -> testinfra.host.Host:
    """Return a machine by its name."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=CONFIG, controlpersist=60)


def until(condition: Callable[[], object], seconds: float = 60) -> float:
    """Wait until something is true, and return how long that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, f"not within {seconds} s"
        time.sleep(0.5)
    return time.monotonic() - begun


def ssh(name: str, *words: str) -> list[str]:
    """Return the command that runs something on a machine, through a connection of its own."""
    return ["ssh", "-F", CONFIG, "-o", "ControlPath=none", name, *words]


def up(name: str) -> bool:
    """Tell whether a machine lets us in."""
    done = subprocess.run(ssh(name, "true"), check=False, capture_output=True, timeout=60)
    return done.returncode == 0


def boot_id(name: str) -> str:
    """Return what is different after every boot, nothing while there is none."""
    command = ssh(name, "cat", "/proc/sys/kernel/random/boot_id")
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout.strip()


def reboot(name: str, how: str) -> None:
    """Reboot a machine; come back before it is up again."""
    subprocess.run(ssh(name, f"nohup sh -c 'sleep 0.5; {how}' >/dev/null 2>&1 &"), check=True, timeout=60)


def mounted(name: str) -> bool:
    """Tell whether the share is mounted on a machine."""
    return host(name).run(f"findmnt --mountpoint {MOUNT}").rc == 0


class Run:
    """One run of the role, and what it said."""

    def __init__(self, *arguments: str, limit: str = "server:client", **variables: object) -> None:
        """Run it on some machines with some arguments that are different."""
        command = ["ansible-playbook", f"--limit={limit}", f"--extra-vars={json.dumps(variables)}"]
        done = subprocess.run(
            [*command, *arguments, str(HERE / "converge.yml")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        self.worked = done.returncode == 0
        self.output = done.stdout
        self.changed = {
            name for name, number in re.findall(r"^(\S+) .*changed=(\d+)", done.stdout, re.M) if number != "0"
        }


class Upload:
    """Somebody on the client who writes one file after the other, from the beginning of the block to its end."""

    def __enter__(self) -> Upload:
        """Begin, and come back when it has got going."""
        self.directory = f"{MOUNT}/{uuid.uuid4().hex[:8]}"
        # Not a pipe, which would hold the writer up when it is full.
        self.report = tempfile.TemporaryFile("w+")
        command = ssh("client", *DJANGO.split(), "python3", "-c", shlex.quote(WRITER), self.directory)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.report)
        until(lambda: len(self.lines) > 5)
        return self

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self.process.communicate(b"", timeout=120)
        assert self.process.returncode == 0
        logging.getLogger(__name__).info("%d files, the slowest took %.1f s", len(self.lines), self.slowest)

    @property
    def lines(self) -> list[list[str]]:
        """Return number, seconds and perhaps the error of each file so far."""
        with open(f"/proc/self/fd/{self.report.fileno()}") as report:
            return [line.split(maxsplit=2) for line in report.read().splitlines()]

    @property
    def failures(self) -> list[list[str]]:
        """Return what went wrong."""
        return [line for line in self.lines if len(line) > 2]

    @property
    def slowest(self) -> float:
        """Return the seconds that the slowest file took."""
        return max(float(line[1]) for line in self.lines)

    def goes_on(self, seconds: float = 180) -> float:
        """Wait until more files are written, and return how long that took."""
        before = len(self.lines)
        return until(lambda: len(self.lines) > before + 3, seconds)

    def missing(self, name: str) -> list[str]:
        """Return those of the files that were said to be written, but that a machine does not have as a whole."""
        numbers = "\n".join(line[0] for line in self.lines if len(line) == 2)
        command = ssh(name, *DJANGO.split(), "python3", "-c", shlex.quote(READER), self.directory)
        done = subprocess.run(command, input=numbers, stdout=subprocess.PIPE, text=True, check=True, timeout=120)
        return done.stdout.split()
