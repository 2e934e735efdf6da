"""What the tests of this scenario share."""

import json
import os
import pathlib
import shlex

import testinfra

ROOT = "/srv/newsroom"
ROLE = pathlib.Path(__file__).resolve().parents[3] / "roles" / "django"


def reach(name):
    """Reach another host of the lab than the one under test."""
    return testinfra.get_host(f"podman://tiered-{os.environ['LAB_NAME']}-{name}")


def current(host):
    """Return the path of the release that is current on a host."""
    return host.check_output(f"readlink -e {ROOT}/current")


def ask_django(host, code):
    """Run code in the project's shell, as "newsroom-manage shell" does, and return the JSON that it prints last."""
    out = host.check_output(f"newsroom-manage shell -c {shlex.quote('import json; ' + code)}")
    return json.loads(out.splitlines()[-1])
