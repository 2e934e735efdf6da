"""Changes of the configuration while people read."""

from contextlib import contextmanager

import pytest
from front import Faithful
from load import Load
from waiting import until

testinfra_hosts = ["balancers"]
pytestmark = pytest.mark.usefixtures("well")
CONFIG = "/etc/haproxy/haproxy.cfg"


@pytest.fixture
def edited(host):
    """Change the configuration by sed and reload; put everything back in the end."""
    host.check_output(f"cp -p {CONFIG} /root/haproxy.cfg")

    def edit(*expressions):
        for expression in expressions:
            host.check_output(f"sed -i %s {CONFIG}", expression)
        host.check_output("systemctl reload haproxy")

    yield edit
    host.check_output(f"mv /root/haproxy.cfg {CONFIG}")
    host.check_output("systemctl restart haproxy")


@contextmanager
def undrained(haproxy):
    try:
        yield
    finally:
        for server in haproxy.status():
            haproxy.tell(f"set server {server} state ready")


def test_the_configuration_has_not_even_warnings(host):
    host.check_output(f"sed /server-state/d {CONFIG} > /root/stateless.cfg")  # it may tell of servers that were down
    checked = host.run("haproxy -c -dW -f /root/stateless.cfg")
    assert checked.rc == 0, checked.stderr


def test_the_running_process_tells_which_configuration_it_has(host):
    fingerprint = host.check_output(f"awk '$1 == \"description\" {{print $2}}' {CONFIG}")
    assert host.run(f"/usr/local/sbin/haproxy-runtime --wait-for {fingerprint}").rc == 0


def test_reloads_fail_no_request(front, host, edited):
    pages = {"/": '"server"', "/a?seconds=0.3": '"server"'}
    with Load(front.reader, pages, readers=4, pause=0.01) as load, Faithful(front) as one, Faithful(front) as two:
        for number in range(4):
            edited(f"s/^    description .*/    description changed{number}/")
            host.check_output(f"/usr/local/sbin/haproxy-runtime --wait-for changed{number}")
            load.wait_for(40)
    assert load.count > 160
    assert not load.failures, load.report()
    assert one.answers + two.answers > 50
    assert one.failures + two.failures == []


def test_a_drained_server_stays_drained_while_everything_around_it_changes(front, servers, haproxy, edited):
    address = servers["two"]
    with undrained(haproxy), Load(front.reader, {"/": '"server"'}, readers=3, pause=0.02) as load:
        haproxy.tell("set server news_app/two state drain")
        app = "/^backend news_app/,/^backend/"
        # Another address for the one that serves, another port for the drained one, one more server before them.
        edited(
            rf"{app} s/server two .*/server two {address}:8003 maxconn 4/",
            rf"{app} s/server one .*/server new {address}:8002\n    server one {address}:8001/",
        )
        until(lambda: "news_app/new" in haproxy.status())
        assert haproxy.status()["news_app/two"].startswith("DRAIN")
        assert {name: at for name, at in haproxy.addresses().items() if name.startswith("news_app")} == {
            "news_app/new": f"{address}:8002",
            "news_app/one": f"{address}:8001",
            "news_app/two": f"{address}:8003",
        }
        assert {front.ask("/").request["port"] for _ in range(8)} == {8001, 8002}
        # And one that is gone.
        edited(f"{app} {{/server new /d}}")
        until(lambda: "news_app/new" not in haproxy.status())
        assert haproxy.status()["news_app/two"].startswith("DRAIN")
        assert {front.ask("/").request["port"] for _ in range(4)} == {8001}
        load.wait_for(30)
    assert not load.failures, load.report()


def test_drained_over_a_restart_but_not_for_ever(host, haproxy):
    with undrained(haproxy):
        haproxy.tell("set server news_app/two state drain")
        host.check_output("systemctl reload haproxy")
        host.check_output("systemctl restart haproxy")
        until(lambda: "DRAIN" in haproxy.status()["news_app/two"])
        # What the last reload has saved is history after a crash.
        haproxy.tell("set server news_app/two state ready")
        host.check_output("systemctl kill --signal KILL haproxy")
        until(lambda: host.run("/usr/local/sbin/haproxy-runtime show info").rc == 0)
        until(lambda: haproxy.status().get("news_app/two") == "UP")


def test_a_broken_configuration_is_not_loaded(front, host, haproxy, edited):
    host.check_output(f"sed -i 's/timeout connect/timeout conect/' {CONFIG}")
    assert host.run("systemctl reload haproxy").rc != 0
    assert front.ask("/").status_code == 200
