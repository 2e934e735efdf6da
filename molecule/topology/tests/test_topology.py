"""What the roles are told about the tiers around them."""

import json

import pytest

testinfra_hosts = ["all"]


@pytest.fixture
def wiring(host):
    return json.loads(host.file("/etc/wiring.json").content_string)


@pytest.fixture
def name(_testinfra_host):
    return _testinfra_host.backend.host


def test_every_host_sees_the_same_addresses(wiring):
    assert [server["address"] for server in wiring["application"]] == ["10.89.110.10", "10.89.110.11"]
    assert [server["address"] for server in wiring["cache"]] == ["10.89.110.10"]
    assert [server["address"] for server in wiring["database"]] == ["10.89.110.11"]


def test_uploads_leave_the_host_as_soon_as_there_are_two_application_servers(wiring):
    assert wiring["uploads"] == "glusterfs"


def test_firewall_opens_what_the_tiers_of_the_host_need(wiring, name):
    opened = {rule["name"]: rule["sources"] for rule in wiring["rules"]}
    expected = {
        "front": {"web": [], "cache": ["10.89.110.11"]},
        "back": {
            "application": ["10.89.110.10"],
            "media": ["10.89.110.10"],
            "database": ["10.89.110.10"],
            "storage": ["10.89.110.10"],
        },
    }
    assert opened == expected[name]


def test_database_and_site_have_certificates(wiring):
    names = {certificate["name"]: certificate["alternative_names"] for certificate in wiring["certificates"]}
    assert names == {"newsroom": ["DNS:newsroom.example"], "postgres-back": ["IP:10.89.110.11"]}


def test_memory_is_divided_between_the_tiers_of_the_host(wiring, name):
    tiers = {"front": {"balancers", "app_servers", "cache_servers"}}
    assert set(wiring["memory"]) == tiers.get(name, {"app_servers", "media_servers", "database_servers"})


def test_uploads_by_nfs_open_one_port_and_none_for_an_export_of_somebody_else(host, name):
    own = json.loads(host.file("/etc/wiring-own.json").content_string)
    assert own["servers"] == ["back"]
    assert own["units"] == ["nfs-newsroom.service"]
    ports = {rule["name"]: (rule["sources"], [str(port) for port in rule["ports"]]) for rule in own["rules"]}
    assert ports == ({"storage": (["10.89.110.10"], ["2049"])} if name == "back" else {})

    users = json.loads(host.file("/etc/wiring-users.json").content_string)
    assert users == {"servers": [], "units": ["nfs-newsroom.service"], "rules": []}
