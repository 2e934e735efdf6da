"""The action as users meet it: in a playbook, before anything is contacted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
TIERS = ["balancers", "app_servers", "media_servers", "cache_servers", "database_servers"]

PLAY = [
    {
        "hosts": "{{ play_hosts_pattern | default('all') }}",
        "gather_facts": False,
        "roles": ["tiered.django.site", "tiered.django.topology"],
        "pre_tasks": [
            {"name": "Check", "tiered.django.preflight": None, "run_once": True},
            {"name": "Stop before the roles", "ansible.builtin.meta": "end_play"},
        ],
    }
]


@pytest.fixture
def preflight(tmp_path):
    """Return a function that runs preflight on an inventory and returns what it answered and printed."""
    collections = tmp_path / "ansible_collections" / "tiered"
    collections.mkdir(parents=True)
    (collections / "django").symlink_to(ROOT)
    (tmp_path / "play.yml").write_text(yaml.safe_dump(PLAY))
    (tmp_path / "project" / "newsroom").mkdir(parents=True)
    for name in ("manage.py", "requirements.txt", "newsroom/settings.py"):
        (tmp_path / "project" / name).touch()
    # Whoever contacts a host leaves a trace, and would wait for ever.
    trap = tmp_path / "ssh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/contacted\nexec sleep 60\n")
    trap.chmod(0o755)

    def run(variables, *arguments, hosts=None):
        good = {
            "site_name": "newsroom",
            "site_domain": "news.example.org",
            "site_source": "{{ inventory_dir }}/project",
            "site_settings_module": "newsroom.settings",
            "ansible_ssh_executable": str(trap),
        }
        hosts = hosts or {"www": {"ansible_host": "192.0.2.1"}}
        groups = {tier: {"hosts": dict.fromkeys(hosts)} for tier in TIERS}
        values = {name: value for name, value in {**good, **variables}.items() if value is not None}
        inventory = {"all": {"hosts": hosts, "vars": values, "children": groups}}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_INJECT_FACT_VARS": "false",
        }
        command = [Path(sys.executable).with_name("ansible-playbook"), "-v", "-i", "hosts.yml", "play.yml", *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=50
        )
        assert not (tmp_path / "contacted").exists(), "a host was contacted"
        assert "Traceback" not in done.stderr
        assert "DEPRECATION" not in done.stderr
        line = re.search(r"^(?:ok: \[\w+\]|fatal: \[\w+\]: FAILED!) => (.*)$", done.stdout, re.MULTILINE)
        assert line, done.stdout + done.stderr
        return {**json.loads(line[1]), "printed": done.stdout + done.stderr}

    return run


def subjects(result):
    return [problem["subject"] for problem in result["problems"]]


def test_every_problem_is_in_one_readable_report_and_no_host_is_contacted(preflight):
    result = preflight(
        {
            "site_name": None,
            "site_domain": "https://{{ zone }}",
            "site_aliases": ["News.example.org"],
            "site_hsts_seconds": "{{ 3 - 4 }}",
            "site_keep_release": 5,
        }
    )
    assert "fatal: [www]: FAILED!" in result["printed"]
    assert not result["changed"]
    assert sorted(subjects(result)) == [
        "site_aliases",
        "site_domain",
        "site_hsts_seconds",
        "site_keep_release",
        "site_name",
    ]
    assert result["msg"].startswith("Preflight found 5 problems; no host was touched.\n1. ")
    assert "'zone' is undefined" in result["msg"]
    assert "Did you mean site_keep_releases?" in result["msg"]


def test_a_good_inventory_passes_and_makes_no_secret(preflight, tmp_path):
    result = preflight({}, "--check")
    assert result["problems"] == []
    assert not result["changed"]
    assert not (tmp_path / "secrets").exists()


def test_each_host_is_seen_with_its_own_variables(preflight):
    hosts = {
        "www1": {"net": 1, "uwsgi_processes": "{{ ansible_facts['processor_vcpus'] }}"},
        "www2": {"net": 1, "uwsgi_processes": "{{ uwsgi_cores_of_the_role * 2 }}"},
        "www3": {"net": 3, "uwsgi_processes": "{{ ny_processes }}"},
        "www4": {"uwsgi_processes": "{{ 0 }}"},
    }
    result = preflight({"private_address": "10.0.0.{{ net }}", "site_uid": "{{ 8100 + net }}"}, hosts=hosts)
    assert subjects(result) == [
        "uwsgi_processes of www3",
        "private_address of www4",
        "site_uid of www4",
        "www1, www2",
        "site_uid",
        "uwsgi_processes of www4",
    ]


def test_the_play_may_run_on_a_host_that_stands_in_no_tier(preflight):
    result = preflight({"private_address": "10.0.0.{{ '9' }}"}, "-e", "play_hosts_pattern=localhost")
    assert result["problems"] == []


def test_the_report_is_readable_in_the_terminal(preflight):
    printed = preflight({"site_domain": "News", "site_uid": 1})["printed"]
    assert (
        "\n1. site_domain: 'News' is not a plain domain name. Write it in lower case: news.\n2. site_uid: " in printed
    )
