"""Hosts of every tier leave and come, and nobody who reads or writes notices."""

import logging
import time

import pytest
from play import play

# The host of each tier that goes, and who must know. A run that had left anything to do would show in the next.
TIERS = {
    "app_servers": ("app3", {"balancer1", "balancer2", "media1", "media2", "cache1", "cache2", "db1"}),
    "cache_servers": ("cache2", {"app1", "app2", "app3"}),
    "media_servers": ("media2", {"media1", "balancer1", "balancer2", "app1", "app2", "app3"}),
    "balancers": ("balancer2", {"balancer1", "app1", "app2", "app3", "media1", "media2"}),
    "database_servers": ("db3", set()),
}
UNITS = {
    "app_servers": ("newsroom.socket", "newsroom.service", "glusterfs-newsroom.service"),
    "cache_servers": ("memcached.service",),
    "media_servers": ("nginx.service", "glusterd.service", "glusterfs-newsroom.service"),
    "balancers": ("haproxy.service", "keepalived.service"),
    "database_servers": (),
}

KEPT = {
    "app_servers": ("/etc/django/newsroom", "/srv/newsroom/releases", "/usr/local/bin/newsroom-manage"),
    "media_servers": ("/srv/gluster/newsroom/data/photographs",),
    "balancers": ("/etc/haproxy/certificates",),
}


@pytest.fixture
def converge(crowd, nothing_lost):
    """Run site.yml while the site is read and written; return the run."""

    def run(marks):
        load, writer = crowd()
        with load, writer:
            load.wait_for(20)
            begun = time.monotonic()
            done = play("site", marks=marks)
            seconds = time.monotonic() - begun
            load.wait_for(20)
        logging.getLogger(__name__).info("site.yml with %s: %.0f s. %s", marks, seconds, load.report())
        assert done.code == 0, done.output[-6000:]
        assert not load.failures, load.report()
        assert not writer.failures, writer.failures
        nothing_lost(writer)
        return done

    return run


@pytest.mark.parametrize("tier", TIERS)
def test_a_host_leaves_its_tier_and_a_new_one_takes_its_place(site, converge, tier):
    host, others = TIERS[tier]
    purge = tier == "app_servers"
    run = converge({host: {"topology_leaving": True, "topology_leaving_purge": purge}})
    # A database server that only keeps its place has nothing to stop.
    assert run.changed == others | ({host} if UNITS[tier] else set()), run.output[-6000:]
    for unit in UNITS[tier]:
        assert site.host(host).run(f"systemctl is-active {unit}").stdout.strip() in ("inactive", "failed"), unit
        assert site.host(host).run(f"systemctl is-enabled {unit}").stdout.strip() != "enabled", unit
    for path in KEPT.get(tier, ()):
        assert site.host(host).file(path).exists != purge, path

    site.replace(host)
    run = converge({})
    assert run.changed == others | {host}, run.output[-6000:]


def test_nothing_is_left_to_do():
    run = play("site")
    assert (run.code, run.changed) == (0, set()), run.output[-6000:]


def test_a_limit_drops_nobody_and_says_who_must_change(site):
    within = ("--limit", "app3,balancers")
    before = [site.host(name).check_output("cat /etc/haproxy/haproxy.cfg") for name in site.groups["balancers"]]
    run = play("site", *within)
    assert (run.code, run.changed) == (0, set()), run.output[-6000:]
    assert "must change with this inventory" not in run.text
    assert [site.host(name).check_output("cat /etc/haproxy/haproxy.cfg") for name in site.groups["balancers"]] == before

    run = play("site", "--check", *within, marks={"app3": {"topology_leaving": True}})
    assert run.code == 0, run.output[-6000:]
    assert "cache1, cache2, db1, media1, media2 must change" in _sorted_names(run.text), run.text[-6000:]


def _sorted_names(text):
    """Put the names before "must change" into order."""
    before, _, after = text.partition(" must change with")
    head, _, names = before.rpartition('"msg": "')
    return f'{head}"msg": "{", ".join(sorted(names.split(", ")))} must change with{after}'


def test_a_dead_host_is_declared_absent_and_everybody_goes_on_expecting_it(site, reader):
    site.kill("app3")
    try:
        run = play("site")
        assert run.code != 0
        assert run.changed == set()
        assert 'app3 cannot be reached. Set "topology_absent: true"' in run.text.replace("\\", ""), run.text[-3000:]
        run = play("site", marks={"app3": {"topology_absent": True}})
        assert (run.code, run.changed) == (0, set()), run.output[-6000:]
        assert "app3 is marked as absent" in run.text
        for name in site.groups["balancers"]:
            assert "server app3 " in site.host(name).check_output("cat /etc/haproxy/haproxy.cfg")
    finally:
        site.start("app3")
    site.from_each_server(lambda: reader.get("/search/"), seconds=90)


def test_a_host_that_is_gone_for_good_is_forgotten_without_being_contacted(site, converge):
    site.kill("cache2")
    run = converge({"cache2": {"topology_leaving": "gone"}})
    assert run.changed == {"app1", "app2", "app3"}, run.output[-6000:]
    site.replace("cache2")
    run = converge({})
    assert run.changed == {"app1", "app2", "app3", "cache2"}, run.output[-6000:]
