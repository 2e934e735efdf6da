"""Each of several is one too many: whichever host loses its power, the site goes on."""

import json
import time

import pytest
from waiting import until

# Seconds after which reads must be back.
PATIENCE = 3
KEYS = 200


@pytest.fixture
def kill(site, editor):
    """Cut the power of hosts, and have them back at the end."""
    killed = []

    def cut(name):
        killed.append(name)
        site.kill(name)

    yield cut
    for name in killed:
        site.start(name)
    for name in killed:
        until(
            lambda name=name: (
                site.host(name).run("systemctl is-system-running").stdout.strip() in ("running", "degraded")
            ),
            60,
            f"{name} is up",
        )
    until(lambda: healed(site), 90, "every copy of the uploads is complete")


def healed(site):
    """Tell whether no media server waits for copies."""
    answer = site.host(site.groups["media_servers"][0]).run(f"gluster volume heal {site.name} info")
    return answer.stdout.count("Number of entries: 0") == len(site.groups["media_servers"])


# Each of two balancers holds the address when it is killed, so each has to carry the site alone.
@pytest.mark.parametrize("tier", ["app_servers", "media_servers", "cache_servers", "first holder", "second holder"])
def test_reads_are_back_at_once_and_no_upload_is_missing(site, kill, crowd, nothing_lost, tier):
    balances = tier.endswith("holder")
    victim = site.holder if balances else site.groups[tier][-1]
    # Who asks a dead balancer gives up and asks again.
    load, writer = crowd(timeout=PATIENCE if balances else 20)
    with load, writer:
        load.wait_for(40)
        kill(victim)
        killed = time.monotonic()
        time.sleep(PATIENCE + 2)
        load.wait_for(100)
    assert not load.failures_since(killed + PATIENCE), load.report()
    if not balances:
        assert not load.failures, load.report()
        assert not writer.failures, writer.failures
    nothing_lost(writer)


def test_losing_a_cache_server_costs_its_share_and_nothing_else(site, kill):
    look = (
        "import json, time; from django.core.cache import cache; slowest = found = 0\n"
        f"for n in range({KEYS}):\n"
        "    begun = time.monotonic(); found += cache.get(f'share-{n}') == n\n"
        "    slowest = max(slowest, time.monotonic() - begun)\n"
        "print(json.dumps([found, slowest]))"
    )

    def read(name):
        return json.loads(site.manage("shell", "--no-imports", "--command", look, on=name).splitlines()[-1])

    fill = f"from django.core.cache import cache; cache.set_many({{f'share-{{n}}': n for n in range({KEYS})}}, 600)"
    site.manage("shell", "--no-imports", "--command", fill, on="app1")
    for name in site.groups["app_servers"]:
        assert read(name)[0] == KEYS, f"{name} looks for keys in other places"
    kill(site.groups["cache_servers"][-1])
    for name in site.groups["app_servers"]:
        found, slowest = read(name)
        assert KEYS * 0.25 < found < KEYS * 0.75
        # The settings' time-outs: half a second to connect, tried twice.
        assert slowest < 1.5
