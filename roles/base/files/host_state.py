"""Print as JSON what the running host does, as far as it differs from what is asked for.

It runs on the host, fed to Python's standard input, so that one look costs one execution.
"""

import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys

CLOCKS = ("chrony", "ntpsec", "openntpd", "ntp")
TIMESYNCD = "systemd-timesyncd"


def output_of(*command):
    """Return what a command prints, nothing where it is not installed or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def installed(names):
    """Return which of the packages are installed."""
    lines = output_of("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names).splitlines()
    return {line.split()[0] for line in lines if line.endswith(" installed")}


def units(*names):
    """Return the state of units, by name."""
    properties = "--property=Id,LoadState,ActiveState,UnitFileState,ConditionResult,ConditionTimestampMonotonic"
    blocks = output_of("systemctl", "show", properties, "--", *names).split("\n\n")
    states = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]
    return {state["Id"]: state for state in states if "Id" in state}


def ssh_connection():
    """Return what sshd told the session about this connection: client's address and port, own address and port."""
    pid = os.getpid()
    while pid > 1:
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        for entry in environment:
            if entry.startswith(b"SSH_CONNECTION="):
                return entry.decode().partition("=")[2].split()
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def admitted(address, sources):
    """Tell whether an address is among the sources; no sources stand for everyone."""
    address = ipaddress.ip_address(address.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return not sources or any(address in ipaddress.ip_network(source, strict=False) for source in sources)


def sysctl_differences(wanted):
    """Return assignments for the kernel settings that differ, and the values of those that cannot be set here."""
    assignments, fixed = [], {}
    for name, value in wanted.items():
        path = pathlib.Path("/proc/sys") / name.replace(".", "/")
        now = path.read_text().split() if path.is_file() else None
        if now == str(value).split():
            continue
        if os.access(path, os.W_OK):
            assignments.append(f"{name}={value}")
        else:
            # In a container whose kernel settings are its host's, root may not write them either.
            fixed[name] = " ".join(now or ["not there"])
    return assignments, fixed


def firewall_state(version):
    """Return `wanted` when the running rules are the ones of this version, untouched; else `other` or `absent`."""
    running = output_of("nft", "--stateless", "--numeric", "list", "table", "inet", "tiered")
    if not running:
        return "absent"
    loaded = pathlib.Path("/run/tiered-firewall.ruleset")
    untouched = loaded.is_file() and loaded.read_text() == running
    return "wanted" if untouched and re.search(rf'comment "tiered {re.escape(version)}"', running) else "other"


def main():
    """Answer the question in the first argument."""
    question = json.loads(sys.argv[1])
    present = installed([*question["packages"], *CLOCKS, TIMESYNCD])
    missing = [name for name in question["packages"] if name not in present]
    states = units(f"{TIMESYNCD}.service", "tiered-firewall.service")
    # Installing systemd-timesyncd would remove another clock that somebody has chosen.
    other_clocks = [name for name in CLOCKS if name in present]
    clock = states[f"{TIMESYNCD}.service"]
    tried = clock["ConditionTimestampMonotonic"] != "0" and clock["ConditionResult"] == "no"
    clock_kept = bool(other_clocks) or (
        clock["UnitFileState"] == "enabled" and (clock["ActiveState"] == "active" or tried)
    )
    if not other_clocks and TIMESYNCD not in present:
        missing.append(TIMESYNCD)
    assignments, fixed = sysctl_differences(question["sysctl"])
    connection = ssh_connection()
    answer = {
        "missing_packages": missing,
        "clock_kept": clock_kept,
        "sysctl_to_set": assignments,
        "sysctl_fixed": fixed,
        "firewall": firewall_state(question["firewall_version"]),
        "firewall_unit": states["tiered-firewall.service"]["LoadState"] == "loaded",
        "ssh": None,
    }
    if connection:
        client, port = connection[0], int(connection[3])
        answer["ssh"] = {
            "client": client,
            "port": port,
            "admitted": port in map(int, question["ssh_ports"]) and admitted(client, question["ssh_sources"]),
        }
    print(json.dumps(answer))


main()
