#!/usr/bin/env python3
"""Show that the site of the lab $LAB_NAME is live, and how to reach it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

TOPOLOGY = os.environ["LAB_NAME"]
AUTHORITY = Path(".cache/lab", TOPOLOGY, "secrets/certificates/ca.crt")


def inventory():
    """Return the inventory as ansible-inventory sees it."""
    command = ["ansible-inventory", "--inventory", f"inventories/{TOPOLOGY}", "--list"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def main():
    """Ask until each application server has answered, then say how to do the same."""
    groups = inventory()
    hosts = groups["_meta"]["hostvars"]
    balancer = hosts[groups["balancers"]["hosts"][0]]
    domain, address = balancer["site_domain"], balancer["ansible_host"]
    curl = f"curl --cacert {AUTHORITY} --resolve {domain}:443:{address} https://{domain}/"

    silent = set(groups["app_servers"]["hosts"])
    for _ in range(10 * len(silent)):
        headers = subprocess.run(
            [*curl.split(), "--silent", "--show-error", "--fail", "--output", "/dev/null", "--dump-header", "-"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        server = re.search(r"(?im)^x-served-by: (\S+)", headers)[1]
        if server in silent:
            silent.remove(server)
            release = re.search(r"(?im)^x-release: (\S+)", headers)[1]
            print(f"{headers.split(maxsplit=2)[1]} from {server}, release {release}")
        if not silent:
            break
    else:
        return f"No answer came from {', '.join(sorted(silent))}."

    print(f"""
The site is live:  https://{domain}/

The name resolves nowhere. From this machine:
    {curl}
In a browser: add this line to /etc/hosts, and trust the site's own authority, {AUTHORITY.resolve()}
    {address} {domain}

"make demo TOPOLOGY={TOPOLOGY}" again changes nothing; "make demo-destroy TOPOLOGY={TOPOLOGY}" removes it all.""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
