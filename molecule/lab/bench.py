#!/usr/bin/env python3
"""Measure the single server, from the bare image on, and write the figures to docs/benchmarks.md."""

import datetime
import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PYTHON_PACKAGES = """
from importlib.metadata import distributions
print(*{f"{each.name}=={each.version}" for each in distributions()})
"""

LAB = os.environ["LAB_NAME"]
HOST = f"tiered-{LAB}-web1"
SETTLE = 30
REPEATS = 5


def output(*command):
    """Return what a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def on_host(command):
    """Return what a command prints on the server."""
    return output("podman", "exec", HOST, "sh", "-c", command)


def play(playbook, *arguments):
    """Run a playbook and return its output and its seconds."""
    start = time.monotonic()
    text = output(
        *["ansible-playbook", f"--inventory=inventories/{LAB}", "--inventory=molecule/lab/inventory"],
        *[playbook, *arguments],
    )
    return text, time.monotonic() - start


def fresh_server():
    """Start again from the bare image and return the packages it asks for by name."""
    play("molecule/lab/destroy.yml")
    play("molecule/lab/create.yml", "--extra-vars=lab_image=debian13-bare")
    return set(on_host("apt-mark showmanual").split())


def proportional_set_size():
    """Return the MiB that the server's processes hold, pages that several share divided among them."""
    pids = output("podman", "top", HOST, "hpid").split()[1:]
    sizes = [re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE) for pid in pids]
    return sum(int(size[1]) for size in sizes if size) / 1024


def machine():
    """Describe this machine in a line."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    processor = model[1] if model else platform.machine()
    memory = int(re.search(r"^MemTotal: +(\d+)", Path("/proc/meminfo").read_text())[1]) / 1024**2
    core = re.search(r"core ([\d.]+)", output("ansible", "--version"))
    return (
        f"{os.cpu_count()} processors ({processor}), {memory:.0f} GiB of memory,"
        f" {platform.freedesktop_os_release()['PRETTY_NAME']}, ansible-core {core[1]}, {output('podman', '--version')}"
    )


def main():
    """Measure and write."""
    before = fresh_server()
    with tempfile.TemporaryDirectory() as cache:
        # Without the wheels that an earlier run has left on the controller.
        os.environ["XDG_CACHE_HOME"] = cache
        _, first = play("playbooks/site.yml")
        packages = sorted(set(on_host("apt-mark showmanual").split()) - before)
        python_packages = on_host(f"/srv/*/current/venv/bin/python -c '{PYTHON_PACKAGES}'")
        seconds = []
        for _ in range(REPEATS):
            recap, duration = play("playbooks/site.yml")
            seconds.append(duration)
    changed = sum(int(count) for count in re.findall(r"changed=(\d+)", recap))

    time.sleep(SETTLE)
    memory = proportional_set_size()

    fresh_server()
    start = time.monotonic()
    on_host(
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "
        + " ".join(packages)
    )
    apt = time.monotonic() - start
    on_host(f"python3 -m venv /tmp/venv && /tmp/venv/bin/pip install {python_packages}")
    install = time.monotonic() - start
    play("molecule/lab/destroy.yml")

    Path("docs/benchmarks.md").write_text(f"""\
# Benchmarks

Written by `make bench`: the whole stack of `inventories/single_server` in a container with Debian 13, over SSH.

{datetime.date.today()}, on {machine()}.

| what | measured |
|---|---|
| first `site.yml`, from a bare server | {first:.0f} s |
| installing the same packages alone, with `apt-get` and `pip` | {apt:.0f} s + {install - apt:.0f} s |
| the first `site.yml` over that | {first / install:.1f} |
| `site.yml` again, median of {REPEATS} (changed: {changed}) | {statistics.median(seconds):.1f} s |
| fastest and slowest of those | {min(seconds):.1f} s, {max(seconds):.1f} s |
| memory of the idle server | {memory:.0f} MiB |

Memory is the sum of the proportional set sizes (PSS) of all processes on the server, {SETTLE} s after the last run;
the page cache is not in it. The packages are {", ".join(packages)};
from PyPI {", ".join(sorted(python_packages.split()))}.
""")
    print(Path("docs/benchmarks.md").read_text())


if __name__ == "__main__":
    main()
