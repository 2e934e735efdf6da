"""Wait until every server has a copy of every file, or for some seconds; print as JSON how many wait for one."""

import json
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

volume, seconds = sys.argv[1], float(sys.argv[2])
end = time.monotonic() + seconds
while True:
    # Without it the daemons look for work only now and then.
    subprocess.run(["gluster", "--mode=script", "volume", "heal", volume], stdout=subprocess.DEVNULL, check=False)
    command = ["gluster", "--mode=script", "--xml", "volume", "heal", volume, "info", "summary"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    try:
        bricks = list(ElementTree.fromstring(answer).iter("brick"))
    except ElementTree.ParseError:
        bricks = []
    # Of a brick that does not answer nothing is known.
    numbers = {
        brick.findtext("name"): brick.findtext("totalNumberOfEntries", "-")
        if brick.findtext("status") == "Connected"
        else "-"
        for brick in bricks
    }
    silent = [name for name, number in numbers.items() if not number.isdigit()]
    missing = sum(int(number) for number in numbers.values() if number.isdigit())
    whole = bool(bricks) and not silent and missing == 0
    if whole or time.monotonic() > end:
        break
    time.sleep(1)
print(json.dumps({"whole": whole, "missing": missing, "silent": silent}))
