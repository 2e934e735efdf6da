"""Two balancers that share their servers, and what they know of each other."""

import os
import time
from contextlib import suppress

import pytest
import requests
import testinfra
from front import Front, HAProxy, at_once, playbook, send
from load import Load
from waiting import until

testinfra_hosts = ["balancer"]
pytestmark = pytest.mark.usefixtures("well")
NAMES = {"balancer": "10.89.104.10", "balancer-bookworm": "10.89.104.11"}


def reach(name):
    return testinfra.get_host(f"podman://tiered-{os.environ['LAB_NAME']}-{name}")


@pytest.fixture(scope="module")
def fronts():
    return [Front(address) for address in NAMES.values()]


@pytest.fixture(scope="module")
def haproxies():
    return [HAProxy(reach(name)) for name in NAMES]


@pytest.fixture
def uncounted(haproxies, front):
    """Forget what was counted before, everywhere; return the key of this client."""
    client = f"::ffff:{front.connect().getsockname()[0]}"
    for haproxy in haproxies:
        haproxy.tell("clear table club_app")
    until(lambda: not any(haproxy.rates("club_app") for haproxy in haproxies))
    return client


def statuses(front, count, path="/"):
    return [front.ask(path, host="club.test").status_code for _ in range(count)]


@pytest.fixture
def undrained(haproxies):
    yield
    for haproxy in haproxies:
        for server in haproxy.status():
            haproxy.tell(f"set server {server} state ready")


def test_balancers_listen_for_each_other_on_their_own_addresses(host):
    for name, address in NAMES.items():
        listeners = reach(name).check_output("ss -Hlnt sport = 10001")
        assert [line.split()[3] for line in listeners.splitlines()] == [f"{address}:10001"]


def test_too_many_requests_are_refused_on_both_balancers(fronts, haproxies, uncounted):
    first, second = fronts
    assert statuses(first, 20) == [200] * 20
    refused = first.ask("/", host="club.test")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "10")
    assert "Too many requests" in refused.text
    # The successor of a balancer that dies knows it, too.
    until(lambda: haproxies[1].rates("club_app").get(uncounted, 0) > 20, 5)
    assert second.ask("/", host="club.test").status_code == 429
    # Files and other sites do not count.
    assert statuses(first, 3, "/assets/site.css") == [200] * 3
    assert {first.ask("/").status_code for _ in range(30)} == {200}


def test_counts_outlive_a_reload(fronts, haproxies, uncounted, host):
    statuses(fronts[0], 21)
    host.check_output("systemctl reload haproxy")
    until(lambda: haproxies[0].rates("club_app").get(uncounted, 0) > 15, 5)


def test_a_limit_is_over_after_a_while(fronts, haproxies, uncounted):
    assert statuses(fronts[0], 21)[-1] == 429
    time.sleep(11)
    assert fronts[0].ask("/", host="club.test").status_code == 200


@pytest.mark.usefixtures("undrained")
def test_what_is_drained_on_one_balancer_is_drained_on_all(fronts, haproxies):
    first, second = haproxies
    first.tell("set server news_app/two state drain")
    second.tell("set server news_media/one state maint")
    with Load(fronts[1].reader, {"/": '"server"'}, readers=2, pause=0.05) as load:
        check = playbook("converge", "--check")
        assert check.stdout.count("changed=1 ") == 2, check.stdout
        assert not second.status()["news_app/two"].startswith("DRAIN")
        agreed = playbook("converge")
        assert agreed.stdout.count("changed=1 ") == 2, agreed.stdout
    assert not load.failures, load.report()
    for haproxy in haproxies:
        status = haproxy.status()
        assert status["news_app/two"].startswith("DRAIN")
        assert status["news_media/one"] == "MAINT"
        assert status["news_app/one"] == status["news_media/two"] == "UP"
    again = playbook("converge")
    assert again.stdout.count("changed=0 ") == 2, again.stdout


@pytest.mark.usefixtures("undrained")
def test_a_balancer_takes_out_exactly_what_it_is_told(host, haproxies):
    def agree(orders):
        return host.check_output("/usr/local/sbin/haproxy-runtime --agree %s", orders).splitlines()

    def drained():
        return host.check_output("/usr/local/sbin/haproxy-runtime --drained")

    assert drained() == "{}"
    assert agree('{"news_app/one": "drain", "nowhere/none": "maint"}') == ["news_app/one drain"]
    assert drained() == '{"news_app/one": "drain"}'
    assert agree('{"news_app/one": "maint"}') == ["news_app/one maint"]
    assert drained() == '{"news_app/one": "maint"}'
    assert agree('{"news_app/one": "drain"}') == ["news_app/one drain"]
    assert haproxies[0].status()["news_app/one"].startswith("DRAIN")
    assert agree('{"news_app/one": "drain"}') == []
    assert host.check_output("/usr/local/sbin/haproxy-runtime --agree '{}' --dry-run") == "news_app/one ready"
    assert agree("{}") == ["news_app/one ready"]
    assert drained() == "{}"


def test_a_front_door_that_is_closed_is_noticed(host):
    alive = "setpriv --reuid haproxy --regid haproxy --init-groups /usr/local/sbin/haproxy-runtime --alive"
    assert host.run(alive).rc == 0
    host.check_output("/usr/local/sbin/haproxy-runtime disable frontend https")
    try:
        assert host.run(alive).rc == 1
    finally:
        host.check_output("/usr/local/sbin/haproxy-runtime enable frontend https")
    assert host.run(alive).rc == 0
    host.check_output("systemctl stop haproxy")
    try:
        assert host.run(alive).rc == 1
    finally:
        host.check_output("systemctl start haproxy")


@pytest.mark.parametrize("name", NAMES)
def test_a_balancer_leaves_when_it_has_finished_its_work(name):
    leaving, front = reach(name), Front(NAMES[name])
    idle = front.connection()
    assert send(idle, "/").status_code == 200

    def leave():
        time.sleep(0.5)
        return playbook("leave", f"--limit={name}")

    answer, left = at_once(lambda: front.ask("/page?seconds=4"), leave)
    assert answer.status_code == 200
    assert left.returncode == 0, left.stdout
    assert "changed=1 " in left.stdout, left.stdout
    with pytest.raises(OSError, match="refused"):
        front.connect()
    assert leaving.run("systemctl is-active haproxy").stdout.strip() == "inactive"
    assert leaving.run("systemctl is-enabled haproxy").stdout.strip() == "disabled"
    assert leaving.file("/etc/haproxy/certificates/news.pem").exists
    again = playbook("leave", f"--limit={name}")
    assert "changed=0 " in again.stdout, again.stdout
    # A balancer that has left, or was never there, has nothing drained.
    back = playbook("converge")
    assert back.returncode == 0, back.stdout
    assert front.ask("/").status_code == 200
    assert leaving.service("haproxy").is_enabled


def test_who_was_told_to_finish_does_not_come_back(host):
    host.check_output("systemctl kill --kill-whom=main --signal=USR1 haproxy")
    try:
        until(lambda: host.run("systemctl is-active haproxy").stdout.strip() == "inactive", 6)
        time.sleep(1)
        assert host.run("systemctl is-active haproxy").stdout.strip() == "inactive"
    finally:
        host.check_output("systemctl start haproxy")


def test_work_in_flight_is_not_waited_for_for_ever(fronts, host):
    def wait():
        with suppress(requests.ConnectionError):
            return fronts[0].reader().get("/page?seconds=15")

    def leave():
        time.sleep(0.5)
        begun = time.monotonic()
        host.check_output("/usr/local/sbin/haproxy-runtime --leave 1")
        return time.monotonic() - begun

    cut, seconds = at_once(wait, leave)
    assert (cut, seconds < 8) == (None, True)
    # With the same call the role can remove everything, but for the package.
    purged = playbook("leave", "--limit=balancer", haproxy_purge=True)
    assert purged.returncode == 0, purged.stdout
    assert (
        host.run("ls /etc/haproxy/certificates /etc/haproxy/haproxy.cfg /usr/local/sbin/haproxy-runtime").stdout == ""
    )
    gone = playbook("leave", "--limit=balancer", haproxy_purge=True)
    assert "changed=0 " in gone.stdout, gone.stdout
    check = playbook("converge", "--check")
    assert check.returncode == 0, check.stdout
    back = playbook("converge")
    assert back.returncode == 0, back.stdout
    assert fronts[0].ask("/").status_code == 200
