"""Print as JSON whether the site answers, and otherwise why not.

It runs on the host, fed to Python's standard input, so that one look costs one execution.
"""

import contextlib
import http.client
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
PATIENCE = 10
# systemd may have begun the next start, whose banner comes after the reason that the last one ended for.
JOURNAL_LINES = 150


class NotReadyError(Exception):
    """What is missing, in words."""


def output_of(*command):
    """Return what a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


class StoppingError(NotReadyError):
    """The requests under way have their own time to finish."""


def listening(port):
    """Return the addresses at which systemd listens at a port."""
    # An address that has left the socket's unit may still be open in the workers, but systemd cannot hand it on.
    kept = set()
    for entry in os.scandir("/proc/1/fd"):
        with contextlib.suppress(FileNotFoundError):
            kept.add(os.readlink(entry.path))
    addresses = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        with open(f"/proc/net/{table}") as lines:
            for fields in map(str.split, lines):
                local, state, inode = fields[1], fields[3], fields[9]
                if state == "0A" and int(local.partition(":")[2], 16) == port and f"socket:[{inode}]" in kept:
                    words = [int(word, 16) for word in re.findall("[0-9A-F]{8}", local.partition(":")[0])]
                    addresses.add(socket.inet_ntop(family, struct.pack(f"={len(words)}I", *words)))
    return addresses


def started_at(name):
    """Return when the running service was started, in seconds since the epoch."""
    properties = "--property=ActiveState,SubState,ExecMainStartTimestampMonotonic"
    lines = output_of("systemctl", "show", properties, "--", f"{name}.service").splitlines()
    state = dict(line.split("=", 1) for line in lines)
    if state["ActiveState"] == "deactivating":
        raise StoppingError(f"{name}.service still finishes the requests that were under way")
    if state["ActiveState"] != "active":
        raise NotReadyError(f"{name}.service is {state['ActiveState']} ({state['SubState']})")
    return time.time() - time.monotonic() + int(state["ExecMainStartTimestampMonotonic"]) / 1e6


def check_files(question, started):
    """Make sure that the service was started with its files as they are now."""
    for path in question["files"]:
        if os.path.getmtime(path) > started:
            raise NotReadyError(f"{path} has changed since the service was started")


def check_workers(question, started):
    """Make sure that uWSGI has all its workers, and none from before the service was started."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(f"/run/{question['name']}/stats")
        with connection.makefile() as answer:
            workers = json.load(answer)["workers"]
    serving = [worker for worker in workers if worker["accepting"] and worker["last_spawn"] >= int(started)]
    if len(serving) != question["processes"]:
        raise NotReadyError(f"{len(serving)} of {question['processes']} workers serve")


def check_answer(question, address):
    """Make sure that one address gives the answer of the wanted release."""
    connection = http.client.HTTPConnection(EVERYWHERE.get(address, address), question["port"], timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", question["path"], headers={"Host": question["host"]} if question["host"] else {})
        answer = connection.getresponse()
        body = answer.read(4000).decode(errors="replace")
    shown = f"GET http://{address}:{question['port']}{question['path']} gave {answer.status}: {body[:500]}"
    if answer.status != http.client.OK:
        raise NotReadyError(shown)
    if question["contains"] not in body:
        raise NotReadyError(f"{shown}, without {question['contains']!r}")


def check(question):
    """Go through all that makes the service ready."""
    try:
        started = started_at(question["name"])
        check_files(question, started)
        check_workers(question, started)
        for address in question["addresses"] if question["path"] else []:
            check_answer(question, address)
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"{type(error).__name__}: {error}") from error


def main():
    """Answer the question in the first argument."""
    question = json.loads(sys.argv[1])
    # Before 2.19 Ansible makes text of numbers.
    question.update({name: int(question[name]) for name in ("port", "processes", "timeout")})
    heard = listening(question["port"])
    silent = [address for address in question["addresses"] if str(ipaddress.ip_address(address)) not in heard]
    answer = {"ready": False, "why": "", "silent_addresses": silent, "journal": []}
    end = time.monotonic() + question["timeout"]
    while not answer["ready"]:
        try:
            check(question)
            answer.update(ready=True, why="")
        except NotReadyError as error:
            answer["why"] = str(error)
            if isinstance(error, StoppingError):
                # Bounded by the unit's own TimeoutStopSec.
                end = time.monotonic() + question["timeout"]
            if time.monotonic() > end:
                break
            time.sleep(0.2)
    if not answer["ready"]:
        unit = f"--unit={question['name']}.service"
        answer["journal"] = output_of(
            "journalctl", unit, f"--lines={JOURNAL_LINES}", "--no-pager", "--output=cat"
        ).splitlines()
    print(json.dumps(answer))


main()
