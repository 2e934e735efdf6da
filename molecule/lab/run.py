#!/usr/bin/env python3
"""Run checks and scenarios side by side and print what each took, slowest first.

A job is a scenario (a folder of molecule/ with a molecule.yml) or, failing that, a target of the Makefile.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
LOGS = TOP / ".cache/logs"
TIMES = TOP / ".cache/times.json"
TAIL = 60


def scenarios():
    """Return the names of all scenarios."""
    return sorted(path.parent.name for path in TOP.glob("molecule/*/molecule.yml"))


def environment(home):
    """Return the environment of all jobs: Molecule finds the collection in `home` instead of installing it per run."""
    return os.environ | {
        "ANSIBLE_HOME": home,
        "LAB_PRERUN": "false",
        "MOLECULE_COMMAND_BORDERS": "0",
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "NO_COLOR": "1",
        "PATH": f"{TOP}/.venv/bin:{os.environ['PATH']}",
    }


def why_failed(code, log):
    """Return what matters of the log of a failed job, or nothing when all went well."""
    if code:
        # Molecule destroys the lab after a failure; the reason is above that.
        return "\n".join(log.partition("Executed: Failed")[0].splitlines()[-TAIL:])
    # Molecule does not mind changes in check mode after the converge; we do.
    checks = re.findall(r"> check\] Executing$(.*?)> check\] Executed", log, re.DOTALL | re.MULTILINE)
    if checks and re.search(r"changed=[1-9]", checks[-1]):
        return "After the converge, check mode would change something:\n" + checks[-1]
    return ""


def run(name, env):
    """Run one job and return its name, whether it passed, and its seconds."""
    command = ["molecule", "test", "-s", name] if name in scenarios() else ["make", "--no-print-directory", name]
    log = LOGS / f"{name}.log"
    start = time.monotonic()
    with log.open("w") as output:
        process = subprocess.run(
            command, cwd=TOP, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
    seconds = time.monotonic() - start
    failure = why_failed(process.returncode, log.read_text())
    print(f"{'FAILED' if failure else 'passed'}  {name}  {seconds:.0f} s", flush=True)
    if failure:
        print(failure, f"All of it: {log}", sep="\n", flush=True)
    return name, not failure, seconds


def main():
    """Run the jobs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("names", nargs="+", help='scenarios, targets of the Makefile, or "all" scenarios')
    arguments = parser.parse_args()
    names = [name for given in arguments.names for name in (scenarios() if given == "all" else [given])]

    LOGS.mkdir(parents=True, exist_ok=True)
    times = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    # The longest first, so that none of them is left to run alone at the end.
    names.sort(key=lambda name: -times.get(name, 600))
    with tempfile.TemporaryDirectory(prefix="tiered-") as home:
        subprocess.run(
            ["make", "--no-print-directory", "install", f"COLLECTIONS={home}/collections"], cwd=TOP, check=True
        )
        with ThreadPoolExecutor(arguments.jobs) as pool:
            results = list(pool.map(lambda name: run(name, environment(home)), names))

    TIMES.write_text(json.dumps(times | {name: round(seconds) for name, passed, seconds in results if passed}))
    print()
    for name, passed, seconds in sorted(results, key=lambda result: -result[2]):
        print(f"{seconds:7.0f} s  {'passed' if passed else 'FAILED'}  {name}")
    failed = sum(not passed for _, passed, _ in results)
    print(f"\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
