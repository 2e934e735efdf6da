"""The role run again, with wrong and with other arguments."""

import json
import os
import subprocess
from pathlib import Path

import pytest

testinfra_hosts = ["balancer"]
pytestmark = pytest.mark.usefixtures("well")
CONVERGE = Path(__file__).parents[1] / "converge.yml"
CONFIG = "/etc/haproxy/haproxy.cfg"


def converge(*arguments, **variables):
    command = [
        "ansible-playbook",
        str(CONVERGE),
        "--limit=balancer",
        f"--extra-vars={json.dumps(variables)}",
        *arguments,
    ]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "false"}
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )


def test_the_role_refuses_what_would_not_work(front, host, inventory):
    before = host.check_output(f"sha256sum {CONFIG} /etc/haproxy/certificates/news.pem")
    broken = converge(haproxy_timeout_client="soon")
    assert broken.returncode != 0
    assert "unexpected character 's' in 'timeout client'" in broken.stdout
    news, shop = inventory["haproxy_sites"]
    swapped = converge(haproxy_sites=[{**news, "certificate_key": shop["certificate_key"]}, shop])
    assert swapped.returncode != 0
    assert "news.pem was left as it is" in swapped.stdout
    assert "PRIVATE KEY" not in swapped.stdout
    assert host.check_output(f"sha256sum {CONFIG} /etc/haproxy/certificates/news.pem") == before
    assert front.ask("/").status_code == 200


def test_a_reload_without_effect_is_a_failure_and_not_forgotten(front):
    """The configuration is valid, but the new process cannot have its port: the old one goes on."""
    taken = {"haproxy_stats_listen": "127.0.0.1:22"}
    failed = converge(**taken)
    assert failed.returncode != 0
    assert "HAProxy should run with" in failed.stdout
    assert front.ask("/").status_code == 200
    again = converge("--check", **taken)
    assert "changed=1 " in again.stdout, again.stdout
    healed = converge()
    assert healed.returncode == 0, healed.stdout


def test_without_sites_there_is_nothing_to_see_and_no_secret_is_shown(front):
    empty = converge(haproxy_sites=[])
    assert empty.returncode == 0, empty.stdout
    assert front.ask("/", scheme="http").status_code == 421
    with pytest.raises(OSError, match=r"(?i)alert|unrecognized|reset|handshake"):
        front.ask("/")
    again = converge("--diff", "-vvv")
    assert again.returncode == 0, again.stdout
    assert "PRIVATE KEY" not in again.stdout
    assert front.ask("/").status_code == 200
