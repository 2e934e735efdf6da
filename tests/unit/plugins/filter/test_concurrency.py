"""How many requests each application server works on at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.filter.concurrency import THREADS, concurrency

FACTS = {"memtotal_mb": 8192, "processor_vcpus": 4}
SERVER = {"name": "app1", "address": "10.0.0.11", "port": 8001}


def of(variables):
    return concurrency([SERVER], {"app1": {"group_names": ["app_servers"], **variables}})[0]


def test_processes_follow_from_the_facts():
    assert of({"ansible_facts": FACTS}) == {**SERVER, "maxconn": 8}


def test_a_tier_that_shares_its_host_gets_less():
    small = {"memtotal_mb": 2048, "processor_vcpus": 4}
    alone = of({"ansible_facts": small})
    shared = of({"ansible_facts": small, "group_names": ["app_servers", "database_servers"]})
    assert shared["maxconn"] < alone["maxconn"]


def test_the_inventory_wins():
    assert of({"ansible_facts": FACTS, "uwsgi_processes": 3, "uwsgi_threads": 5})["maxconn"] == 15


def test_the_inventory_makes_facts_unnecessary():
    assert of({"uwsgi_processes": 3})["maxconn"] == 3


def test_hosts_without_facts_are_named():
    with pytest.raises(AnsibleFilterError, match=r"no facts are known of app1: .* set uwsgi_processes"):
        of({})


def test_hosts_that_are_absent_count_like_the_smallest():
    servers = [{**SERVER, "name": name} for name in ("app1", "app2", "app3")]
    hosts = {
        "app1": {"ansible_facts": FACTS, "group_names": ["app_servers"]},
        "app2": {"uwsgi_processes": 3},
        "app3": {"topology_absent": True},
    }
    assert [server["maxconn"] for server in concurrency(servers, hosts)] == [8, 3, 3]


def test_facts_of_an_absent_host_that_are_known_count():
    assert of({"ansible_facts": FACTS, "topology_absent": True})["maxconn"] == 8


def test_somebody_must_be_known():
    with pytest.raises(AnsibleFilterError, match="no facts are known of app1"):
        of({"topology_absent": True})


def test_threads_are_those_of_the_role():
    defaults = Path(__file__).parents[4] / "roles/uwsgi/defaults/main.yml"
    assert yaml.safe_load(defaults.read_text())["uwsgi_threads"] == THREADS
