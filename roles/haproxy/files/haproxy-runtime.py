#!/usr/bin/env python3
"""Talk to the running HAProxy through its administration socket.

haproxy-runtime COMMAND WORD...        send a command and print the answer, for example
                                       haproxy-runtime set server shop_app/app1 state drain
haproxy-runtime --wait-for FINGERPRINT wait until the process with this configuration answers
haproxy-runtime --save-for-reload      used by haproxy.service: keep the state of the servers
haproxy-runtime --save-for-start
haproxy-runtime --prepare-start
"""

import os
import socket
import sys
import time

SOCKET = "/run/haproxy/admin.sock"
STATE = "/run/haproxy/server-state"
CONFIG = "/etc/haproxy/haproxy.cfg"
EMPTY_STATE = "1\n"
PORT_COLUMN = 18


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
        # While one process hands over to the next, a connection may reach neither. After a crash there is none.
        if "MAINPID" not in os.environ or time.monotonic() > deadline:
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
            return
        time.sleep(0.05)
    # Files newer than the last reload: whoever looks next sees that they were not read.
    os.utime(CONFIG)
    sys.exit(f"HAProxy should run with {fingerprint}, but runs with {running}. See: journalctl -u haproxy.service")


def main() -> None:
    """Do what the arguments say."""
    words = sys.argv[1:]
    if words in (["--save-for-reload"], ["--save-for-start"]):
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
