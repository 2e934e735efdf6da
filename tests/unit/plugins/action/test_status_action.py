"""The playbook as users meet it when hosts do not answer, and what a host's clock is compared with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.tiered.django.plugins.action.host_status import ActionModule

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def status(tmp_path):
    """Return a function that runs the playbook on hosts none of which can be reached."""
    collections = tmp_path / "ansible_collections" / "tiered"
    collections.mkdir(parents=True)
    (collections / "django").symlink_to(ROOT)
    trap = tmp_path / "ssh"
    trap.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/contacted\necho "no route to host" >&2\nexit 255\n')
    trap.chmod(0o755)
    (tmp_path / "contacted").touch()

    def run(*arguments, **marks):
        (tmp_path / "marks.yml").write_text(json.dumps({"all": {"hosts": marks}}))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_SSH_EXECUTABLE": str(trap),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_INJECT_FACT_VARS": "false",
        }
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", ROOT / "inventories/load_balanced"]
        done = subprocess.run(
            [*command, "-i", tmp_path / "marks.yml", "tiered.django.status", *arguments],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        assert "DEPRECATION" not in done.stdout + done.stderr
        return done

    run.contacted = lambda: (tmp_path / "contacted").read_text()
    return run


def test_hosts_that_do_not_answer_are_rows_of_the_table_and_the_run_fails_after_it(status):
    done = status()
    assert done.returncode == 2
    table, failure = done.stdout.split("fatal: ")
    for host in ("balancer1", "app1", "app2", "data1"):
        assert any(line.startswith(f"{host} ") and "DOES NOT ANSWER" in line for line in table.splitlines())
        assert f"{host} does not answer: " in table
    assert "no route to host" in table
    assert "newsroom is not healthy: 4 problems; 0 of 4 hosts answered." in failure
    assert done.stdout.count("changed=0") == 4
    assert "unreachable=1" not in done.stdout


def test_json_is_one_line(status):
    done = status("-e", "status_format=json")
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    assert [row["host"] for row in found["hosts"]] == ["balancer1", "app1", "app2", "data1"]
    assert {row["state"] for row in found["hosts"]} == {"silent"}
    assert not found["healthy"]


def test_a_host_that_is_absent_by_the_inventory_is_not_contacted(status):
    done = status(app2={"topology_absent": True})
    assert "newsroom is not healthy: 3 problems" in done.stdout
    assert "10.89.124.12" not in status.contacted()
    assert "10.89.124.11" in status.contacted()


def answer(monkeypatch, clock, seconds=0.0, **result):
    """Return what the action makes of the module's answer."""

    def execute(*_, **__):
        time.sleep(seconds)
        if isinstance(clock, Exception):
            raise clock
        return {"clock": time.time() - seconds / 2 + clock, **result}

    action = ActionModule.__new__(ActionModule)
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    monkeypatch.setattr(action, "_execute_module", execute, raising=False)
    return action.run(task_vars={})


@pytest.mark.parametrize(("clock", "off"), [(0, 0), (30, 30), (-30, -30)])
def test_a_clock_is_off_by_what_the_way_of_the_answer_does_not_explain(monkeypatch, clock, off):
    found = answer(monkeypatch, clock, units={})
    assert found == {"changed": False, "units": {}, "clock_off": pytest.approx(off, abs=0.2)}
    assert answer(monkeypatch, 0, seconds=0.4)["clock_off"] == 0


def test_failure_is_an_answer(monkeypatch):
    assert answer(monkeypatch, AnsibleConnectionFailure("no route"))["silent"] == "no route"
    found = answer(monkeypatch, 0, failed=True, msg="MODULE FAILURE", module_stderr="sudo: a password is required")
    assert found == {"changed": False, "silent": "MODULE FAILURE sudo: a password is required"}
