"""Tell as JSON what this host knows of a volume, of its own brick and of its mount. Changes nothing."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

asked = json.loads(sys.argv[1])


def output(*command):
    """Return what a command says, nothing when it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def gluster(*words, of=None):
    """Return the answer of this host's glusterd, or of the one at another address, as an XML element."""
    remote = [f"--remote-host={of}", "--timeout=5"] if of else []
    try:
        return ElementTree.fromstring(output("gluster", "--mode=script", "--xml", *remote, *words))
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def volumes(of=None):
    """Return all volumes by name."""
    found = {}
    for volume in gluster("volume", "info", of=of).iter("volume"):
        found[volume.findtext("name")] = {
            "started": volume.findtext("statusStr") == "Started",
            # Each with the identity of its server.
            "bricks": {brick.findtext("name"): brick.findtext("hostUuid") for brick in volume.find("bricks")},
            "options": {option.findtext("name"): option.findtext("value") for option in volume.iter("option")},
        }
    return found


def peers(known):
    """Return the other members of the pool by each of their names, and by the addresses of their bricks."""
    found, by_uuid = {}, {}
    for peer in gluster("peer", "status").iter("peer"):
        connected = peer.findtext("connected") == "1" and peer.findtext("state") == "3"
        member = by_uuid[peer.findtext("uuid")] = {"uuid": peer.findtext("uuid"), "connected": connected}
        found.update({name.text: member for name in peer.iter("hostname")})
    for volume in known.values():
        found.update({address: by_uuid[uuid] for address, uuid in servers_of(volume).items() if uuid in by_uuid})
    return found


def online(volume):
    """Return the bricks of the volume whose processes run."""
    nodes = gluster("volume", "status", volume).iter("node")
    found = ((node.findtext("hostname") + ":" + node.findtext("path"), node.findtext("status")) for node in nodes)
    return [brick for brick, status in found if status == "1"]


def servers_of(volume):
    """Return the identities of the servers of a volume by their addresses."""
    return {brick.rpartition(":")[0]: uuid for brick, uuid in volume["bricks"].items()}


def leader(volume, pool):
    """Return the address of the server that gives the orders: one that has the volume, else the first."""
    able = [address for address in asked["servers"] if address not in asked["absent"]]
    if volume:
        there = servers_of(volume)
        able = [a for a in able if a in there and (a == asked["address"] or pool.get(a, {}).get("connected"))]
        # Who has begun to add a server also ends it.
        begun = volume["options"].get("user.tiered-growing", "").partition("@")[2]
        able = [begun] if begun in able else able
    return able[0] if able else ""


def server():
    """Return what a server knows of the volume."""
    known = volumes()
    volume = known.get(asked["volume"])
    pool = peers(known)
    found = {"volume": volume, "peers": pool, "leader": leader(volume, pool), "online": [], "elsewhere": None}
    others = [other for name, other in known.items() if name != asked["volume"]]
    found["others"] = sorted({address for other in others for address in servers_of(other)})
    if volume is None:
        for address in asked["servers"] + asked["leaving"]:
            if address not in [asked["address"], *asked["absent"]]:
                there = volumes(of=address).get(asked["volume"])
                if there:
                    found["elsewhere"] = {"address": address, "servers": servers_of(there)}
                    found["leader"] = ""
                    break
    elif asked["address"] == found["leader"]:
        # Asked by one host only, for it locks the volume.
        found["online"] = online(asked["volume"])
    data = asked["data"]
    names = os.listdir(data) if os.path.isdir(data) else []
    attributes = os.listxattr(data) if os.path.isdir(data) else []
    found["brick"] = {
        "intact": "trusted.glusterfs.volume-id" in attributes,
        "empty": names == [],
        "filesystem": output("findmnt", "--noheadings", "--output", "TARGET", "--target", os.path.dirname(data)),
    }
    found["seconds"] = output("date", "+%s")
    return found


def mount():
    """Return what is mounted, and by which unit."""
    wanted = "UnitFileState,NeedDaemonReload,ActiveState,MainPID"
    properties = output("systemctl", "show", f"--property={wanted}", asked["unit"])
    found = dict(line.split("=", 1) for line in properties.splitlines())
    found["command"] = ""
    if found.get("MainPID", "0") != "0":
        with open(f"/proc/{found['MainPID']}/cmdline") as file:
            found["command"] = file.read().replace("\0", " ").strip()
    found["unit"] = output("sha256sum", asked["unit_path"]).partition(" ")[0]
    found["root"] = found["hidden"] = ""
    if output("findmnt", "--noheadings", "--output", "TARGET", "--mountpoint", asked["mount"]):
        found["root"] = output("stat", "--format", "%u %g %04a", asked["mount"])
    elif os.path.isdir(asked["mount"]):
        found["hidden"] = " ".join(os.listdir(asked["mount"])[:3])
    return found


def leaver():
    """Return whether a brick of this host is still a part of the volume, and whether glusterd serves other volumes."""
    known = volumes()
    volume = known.pop(asked["volume"], {"bricks": {}})
    try:
        with open("/var/lib/glusterd/glusterd.info") as file:
            identity = dict(line.strip().split("=", 1) for line in file if "=" in line).get("UUID", "")
    except FileNotFoundError:
        identity = ""
    found = {"glusterd": output("systemctl", "is-enabled", "glusterd") == "enabled", "others": sorted(known)}
    found["glusterd"] = found["glusterd"] or output("systemctl", "is-active", "glusterd") == "active"
    found["brick"] = "gone"
    if identity in volume["bricks"].values():
        # Taken out while it was away, it does not know that yet; the others do.
        found["brick"] = "unsure"
        for address in servers_of(volume):
            there = volumes(of=address).get(asked["volume"])
            if there:
                found["brick"] = "used" if identity in there["bricks"].values() else "forgotten"
            if found["brick"] == "forgotten":
                break
    return found


state = mount()
if asked["leaves"]:
    state.update(leaver())
elif asked["address"]:
    state.update(server())
print(json.dumps(state))
