"""Tell as JSON what this host has of a share, of its export and of its mount. Changes nothing."""

import json
import os
import re
import subprocess
import sys

asked = json.loads(sys.argv[1])


def output(*command):
    """Return what a command says, nothing when it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def text(path):
    """Return what is in a file, nothing when it is not there."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def mounts():
    """Return mount point, type, source and options of all mounts. Asks the kernel, for a dead server answers nobody."""
    for line in text("/proc/self/mountinfo").splitlines():
        here, _, there = line.partition(" - ")
        kind, source, options = there.split(" ", 2)
        yield here.split()[4].replace("\\040", " "), kind, source, options


def mount():
    """Return what is mounted, and by which unit."""
    wanted = "UnitFileState,NeedDaemonReload,ActiveState,MainPID"
    properties = output("systemctl", "show", f"--property={wanted}", asked["unit"])
    found = dict(line.split("=", 1) for line in properties.splitlines())
    found["command"] = ""
    if found.get("MainPID", "0") != "0":
        # The unit gives its process a name that says what is mounted how.
        found["command"] = text(f"/proc/{found['MainPID']}/cmdline").partition("\0")[0]
    found["unit"] = output("sha256sum", asked["unit_path"]).partition(" ")[0]
    found["mounted"] = found["hidden"] = ""
    for point, kind, source, _ in mounts():
        if point == asked["mount"]:
            found["mounted"] = source if kind.startswith("nfs") else f"{kind} of {source}"
    if not found["mounted"] and os.path.isdir(asked["mount"]):
        found["hidden"] = " ".join(os.listdir(asked["mount"])[:3])
    # Needed for NFSv3 only, and reachable from everywhere.
    legacy = any(kind == "nfs" and "vers=3" in options for _, kind, _, options in mounts())
    services = [] if legacy else ["rpcbind.service", "rpcbind.socket", "rpc-statd.service"]
    found["open"] = [name for name in services if os.path.realpath(f"/etc/systemd/system/{name}") != "/dev/null"]
    return found


def server():
    """Return what a server has of the share."""
    found = {"exported": os.path.exists(asked["exports"]), "data": os.path.isdir(asked["data"]), "same": False}
    if found["data"] and os.path.isdir(asked["mount"]):
        found["same"] = os.path.samefile(asked["data"], asked["mount"])
    return found


def leaver():
    """Return which clients still use the export, and whether the host has other exports."""
    addresses = re.findall(r" ([^ (]+)\(", text(asked["exports"]))
    connected = []
    for number in os.listdir("/proc/fs/nfsd/clients") if os.path.isdir("/proc/fs/nfsd/clients") else []:
        about = text(f"/proc/fs/nfsd/clients/{number}/info")
        address = re.search(r'address: "\[?(.+?)\]?:\d+"', about)
        # One that has been silent for long is only remembered out of courtesy.
        if address and not re.search("^status: (courtesy|expirable)", about, re.M):
            connected.append(address[1])
    folder, own = os.path.split(asked["exports"])
    others = [f"{folder}/{name}" for name in (os.listdir(folder) if os.path.isdir(folder) else []) if name != own]
    lines = [line for path in [*others, "/etc/exports"] for line in text(path).splitlines()]
    return {
        "exported": os.path.exists(asked["exports"]),
        "clients": sorted({address for address in connected if address in addresses}),
        "others": [line for line in lines if line.strip() and not line.lstrip().startswith("#")],
    }


state = mount()
if asked["leaves"]:
    state.update(leaver())
elif asked["server"]:
    state.update(server())
print(json.dumps(state))
