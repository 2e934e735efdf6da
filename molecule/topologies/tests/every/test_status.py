"""The status tells the truth and changes nothing."""

import json

from play import play
from waiting import until


def status():
    """Return the run of the playbook and what it told."""
    run = play("status", "-e", "status_format=json")
    assert run.changed == run.failed & run.changed == set(), run.output
    return run, json.loads(next(line for line in run.output.splitlines() if line.startswith("{")))


def becomes_healthy():
    """Wait until everybody has noticed that all is well again."""
    until(lambda: status()[0].code == 0, 90, "the status says that the site is healthy", pause=1)


def test_a_site_that_is_well(site):
    becomes_healthy()
    run, found = status()
    assert run.code == 0, run.output
    hosts = "1 of 1 host" if len(site.hosts) == 1 else f"{len(site.hosts)} of {len(site.hosts)} hosts"
    assert found["summary"] == f"{site.name} is healthy; {hosts} answered."
    rows = {row["host"]: row for row in found["hosts"]}
    assert set(rows) == set(site.hosts)
    balancers = set(site.groups["balancers"])
    for name in site.groups["app_servers"]:
        assert rows[name]["release"]
        assert set(rows[name]["balancers"]) == balancers
        assert {states[f"{site.name}_app"] for states in rows[name]["balancers"].values()} == {"UP"}
        assert len(rows[name]["ring"]) == len(site.groups["cache_servers"])
    for name in balancers:
        assert rows[name]["request"]["status"] < 500
        assert min(rows[name]["certificate_days"].values()) > 30


def test_the_table_has_a_row_for_every_host(site):
    becomes_healthy()
    lines = play("status").output.splitlines()
    for name in site.hosts:
        assert any(line.split()[:1] == [name] and "firewall" in line for line in lines), name


def test_a_service_that_is_stopped_is_named_with_its_remedy(site):
    name = site.groups["cache_servers"][-1]
    becomes_healthy()
    try:
        site.host(name).check_output("systemctl stop memcached.service")
        run, found = status()
        assert run.code != 0
        assert [finding["hosts"] for finding in found["findings"] if finding["problem"]] == [[name]]
        assert "systemctl start memcached.service" in found["findings"][0]["remedy"]
    finally:
        site.host(name).check_output("systemctl start memcached.service")
    becomes_healthy()


def test_a_server_that_is_drained_is_named_with_its_remedy(site):
    balancer, name = site.host(site.groups["balancers"][0]), site.groups["app_servers"][-1]
    server = f"set server {site.name}_app/{name} state"
    becomes_healthy()
    try:
        balancer.check_output(f"haproxy-runtime {server} drain")
        run, found = status()
        assert run.code != 0
        # Where there is no other one, nobody serves.
        assert any(
            finding["hosts"] == [name] and f"{server} ready" in finding["remedy"] for finding in found["findings"]
        )
    finally:
        balancer.check_output(f"haproxy-runtime {server} ready")
    becomes_healthy()
