#!/usr/bin/env python3
"""Talk to the running HAProxy through its administration socket.

haproxy-runtime COMMAND WORD...        send a command and print the answer, for example
                                       haproxy-runtime set server shop_app/app1 state drain
haproxy-runtime --alive                tell whether the front door is open
haproxy-runtime --drained              print the servers that an operator has taken out, as JSON
haproxy-runtime --agree JSON           take out exactly these servers; print what was changed
haproxy-runtime --leave SECONDS        accept nothing new, finish what is in flight, and stop for good
                                       (the last two with --dry-run: only print what would be changed)
haproxy-runtime --wait-for FINGERPRINT wait until the process with this configuration answers, and remove the
                                       certificates of sites that are gone
haproxy-runtime --save-for-reload      used by haproxy.service: keep the state of the servers
haproxy-runtime --save-for-start
haproxy-runtime --prepare-start
"""

from __future__ import annotations

import contextlib
import csv
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import time

SOCKET = "/run/haproxy/admin.sock"
STATE = "/run/haproxy/server-state"
CONFIG = "/etc/haproxy/haproxy.cfg"
CERTIFICATES = "/etc/haproxy/certificates"
UNIT = "haproxy.service"
EMPTY_STATE = "1\n"
ADMIN_COLUMN, PORT_COLUMN = 6, 18
# Bits of the administrative state that an operator sets, the stronger one first.
ORDERS = {"maint": 0x01, "drain": 0x08}


def ask(command: str) -> str:
    """Send one command to HAProxy and return its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(SOCKET)
        connection.sendall(f"{command}\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def configured_ports() -> dict[tuple[str, str], str]:
    """Read the port of each (backend, server) from the configuration."""
    ports, backend = {}, ""
    with open(CONFIG, encoding="utf-8") as file:
        for words in map(str.split, file):
            if words[:1] == ["backend"]:
                backend = words[1]
            elif words[:1] == ["server"]:
                ports[backend, words[1]] = words[2].rpartition(":")[2]
    return ports


def server_lines() -> list[list[str]]:
    """Return the state of each server in columns; the second is the backend, the fourth the server."""
    return [line.split(" ") for line in ask("show servers state").splitlines()[1:] if line and not line.startswith("#")]


def drained() -> dict[str, str]:
    """Return BACKEND/SERVER and state of all servers that an operator has taken out."""
    orders = {}
    for columns in server_lines():
        admin = int(columns[ADMIN_COLUMN])
        state = next((state for state, bit in ORDERS.items() if admin & bit), None)
        if state:
            orders[f"{columns[1]}/{columns[3]}"] = state
    return orders


def agree(wanted: dict[str, str], dry_run: bool) -> list[str]:
    """Take out exactly the wanted servers, as far as they are here; return what was changed."""
    now, changes = drained(), []
    for server in sorted(f"{columns[1]}/{columns[3]}" for columns in server_lines()):
        state = wanted.get(server, "ready")
        if now.get(server, "ready") != state:
            answer = "" if dry_run else ask(f"set server {server} state {state}").strip()
            if answer:
                sys.exit(f"{server} cannot be put into the state {state}: {answer}")
            changes.append(f"{server} {state}")
    return changes


def is_running() -> bool:
    """Tell whether there is a process to ask."""
    try:
        ask("show version")
    except (ConnectionRefusedError, FileNotFoundError):
        # What is left of a process that has died accepts no connection.
        return False
    return True


def is_alive() -> bool:
    """Tell whether HAProxy accepts requests. A front door that is full is open, too; those who knock wait."""
    doors = csv.DictReader(ask("show stat -1 1 -1").removeprefix("# ").splitlines())
    states = {row["pxname"]: row["status"] for row in doors}
    return all(states.get(door) in ("OPEN", "FULL") for door in ("http", "https"))


def systemctl(*words: str) -> str:
    """Ask systemd about HAProxy or tell it something."""
    return subprocess.run(["systemctl", *words, UNIT], check=True, stdout=subprocess.PIPE, text=True).stdout


def leave(seconds: float, dry_run: bool) -> list[str]:
    """Finish what is in flight, stop and disable HAProxy; return what was changed."""
    unit = dict(line.split("=", 1) for line in systemctl("show", "--property=MainPID,UnitFileState").splitlines())
    process, changes = int(unit["MainPID"]), []
    if unit["UnitFileState"] == "enabled":
        changes.append("HAProxy is disabled")
        if not dry_run:
            systemctl("disable", "--quiet")
    if process:
        changes.append("HAProxy is stopped")
        if not dry_run:
            os.kill(process, signal.SIGUSR1)
            deadline = time.monotonic() + seconds
            while os.path.exists(f"/proc/{process}") and time.monotonic() < deadline:
                time.sleep(0.05)
            # Now it is no failure that something must end, and nothing is started again.
            systemctl("stop", "--no-block")
            if os.path.exists(f"/proc/{process}"):
                systemctl("kill", "--signal=KILL")
            systemctl("stop")
    return changes


def forget_certificates() -> None:
    """Remove certificates, and with them their keys, that no site names any more."""
    with open(f"{CERTIFICATES}.list", encoding="utf-8") as file:
        named = {line.split()[0] for line in file if line.strip() and not line.startswith("#")}
    for path in glob.glob(f"{CERTIFICATES}/*.pem"):
        if path not in named:
            os.unlink(path)


def current_state(seconds: float = 5) -> str:
    """Return the state of all servers, as a new process may load it.

    HAProxy takes addresses from its configuration, but ports from the state: a server that moved to another port
    would be looked for on the old one.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            lines = ask("show servers state").splitlines()
        except OSError:
            lines = []
        if lines[:1] == ["1"]:
            break
        # While one process hands over to the next, a connection may reach neither. After its end there is none.
        if not os.path.exists(f"/proc/{os.environ.get('MAINPID', 'none')}") or time.monotonic() > deadline:
            raise LookupError("HAProxy does not tell the state of its servers")
        time.sleep(0.05)
    ports = configured_ports()
    kept = []
    for line in lines:
        columns = line.split(" ")
        if len(columns) > PORT_COLUMN and not line.startswith("#"):
            server = (columns[1], columns[3])
            if server not in ports:
                continue
            columns[PORT_COLUMN] = ports[server]
        kept.append(" ".join(columns))
    return "\n".join(kept).strip() + "\n"


def write(path: str, content: str) -> None:
    """Replace a file in one step."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(content)
    os.replace(f"{path}.new", path)


def prepare_start() -> None:
    """Bring back what the last stop has saved; after a crash or a boot, begin anew rather than with something old."""
    os.makedirs(os.path.dirname(STATE), exist_ok=True)
    if os.path.exists(f"{STATE}.stopped"):
        os.replace(f"{STATE}.stopped", STATE)
    else:
        write(STATE, EMPTY_STATE)


def wait_for(fingerprint: str, seconds: float = 15) -> None:
    """Wait until HAProxy tells that it runs with the configuration of this fingerprint."""
    deadline, running = time.monotonic() + seconds, "nothing"
    while time.monotonic() < deadline:
        try:
            information = dict(line.split(": ", 1) for line in ask("show info").splitlines() if ": " in line)
            running = information.get("description", "a configuration without a fingerprint")
        except OSError as error:
            running = f"nothing ({error})"
        if running == fingerprint:
            forget_certificates()
            return
        time.sleep(0.05)
    # Files newer than the last reload: whoever looks next sees that they were not read.
    os.utime(CONFIG)
    sys.exit(f"HAProxy should run with {fingerprint}, but runs with {running}. See: journalctl -u haproxy.service")


def main() -> None:
    """Do what the arguments say."""
    words = [word for word in sys.argv[1:] if word != "--dry-run"]
    dry_run = len(words) < len(sys.argv[1:])
    if words == ["--alive"]:
        alive = False
        with contextlib.suppress(OSError):
            alive = is_alive()
        sys.exit(0 if alive else "HAProxy does not serve")
    elif words == ["--drained"]:
        print(json.dumps(drained() if is_running() else {}, sort_keys=True))
    elif len(words) == 2 and words[0] == "--agree":
        if is_running() or not dry_run:
            print("".join(f"{change}\n" for change in agree(json.loads(words[1]), dry_run)), end="")
    elif len(words) == 2 and words[0] == "--leave":
        print("".join(f"{change}\n" for change in leave(float(words[1]), dry_run)), end="")
    elif words in (["--save-for-reload"], ["--save-for-start"]):
        try:
            write(STATE if words == ["--save-for-reload"] else f"{STATE}.stopped", current_state())
        except LookupError as error:
            # Then systemd does not reload, and a start begins with what the configuration says.
            sys.exit(str(error))
    elif words == ["--prepare-start"]:
        prepare_start()
    elif len(words) == 2 and words[0] == "--wait-for":
        wait_for(words[1])
    elif words and not words[0].startswith("-"):
        print(ask(" ".join(words)).strip())
    else:
        sys.exit(__doc__.strip())


if __name__ == "__main__":
    main()
