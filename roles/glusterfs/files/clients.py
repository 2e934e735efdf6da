"""Wait until every host that is connected to one brick is connected to all of them; fail after some seconds."""

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

volume, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
while True:
    command = ["gluster", "--mode=script", "--xml", "volume", "status", volume, "clients"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    try:
        nodes = list(ElementTree.fromstring(answer).iter("node"))
    except ElementTree.ParseError:
        nodes = []
    clients = {
        node.findtext("hostname"): {
            client.findtext("hostname").rpartition(":")[0] for client in node.find("clientsStatus").iter("client")
        }
        for node in nodes
    }
    everybody = set().union(*clients.values())
    lacking = [f"{address} to {brick}" for brick, there in clients.items() for address in sorted(everybody - there)]
    if clients and not lacking:
        # What a client has begun the old way it ends the old way.
        time.sleep(2)
        sys.exit()
    if time.monotonic() > end:
        break
    time.sleep(1)
sys.exit(
    f"Clients that are not connected to every brick of {volume}: {', '.join(lacking) or 'unknown'}. Their writes would "
    "reach some copies only. Open the ports of the bricks for them, or restart their mount, and run this again."
)
