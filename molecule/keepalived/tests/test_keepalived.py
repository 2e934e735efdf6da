"""One of two hosts answers on the floating addresses, whatever happens to the other."""

import logging
import time

import pytest
from waiting import until
from watch import ADDRESS, ADDRESS_6, Watch, addresses, container, holders, hosts, playbook, podman

testinfra_hosts = ["one"]
CONFIG = "/etc/keepalived/keepalived.conf"
# Longer than it takes to notice a holder and to be eligible: whoever wanted the addresses back had them by then.
LONG_ENOUGH = 9
# What a reader notices when nothing moves.
NOTHING = 0.5


def other(name):
    return {"one": "two", "two": "one"}[name]


def eligible(host):
    """Whether a host holds the addresses or would take them at once."""
    started = host.run("systemctl show --property=ActiveEnterTimestampMonotonic --value keepalived").stdout
    states = host.run("journalctl --unit=keepalived --output=cat --grep='Entering .* STATE' --lines=1").stdout
    age = float(host.file("/proc/uptime").content_string.split()[0]) - int(started or 0) / 1e6
    return (
        host.run("systemctl is-active keepalived web").rc == 0
        and age > 8
        and ("BACKUP" in states or "MASTER" in states)
    )


@pytest.fixture
def held():
    """Wait until exactly one host holds the addresses and the other one could; tell which."""
    for host in hosts().values():
        until(lambda host=host: eligible(host), 30)
    until(lambda: len(holders()) == 1)
    return holders()[0]


def told(watch, what):
    logging.getLogger(__name__).info("%s: %.1f s without an answer", what, watch.gap)


def test_one_host_holds_all_addresses(held):
    assert addresses(hosts()[held]) == {ADDRESS, ADDRESS_6}
    assert addresses(hosts()[other(held)]) == set()
    with Watch() as watch:
        time.sleep(1)
    assert {name for _, name in watch.answers} == {held}


def test_a_killed_holder_is_replaced_and_takes_nothing_back(held):
    with Watch() as watch:
        podman("kill", container(held))
        until(lambda: watch.now == other(held), 10)
    told(watch, "killed")
    assert watch.gap <= 3
    with Watch() as watch:
        podman("start", container(held))
        until(lambda: hosts()[held].run("systemctl is-active keepalived web").rc == 0, 30)
        time.sleep(LONG_ENOUGH)
    told(watch, "came back")
    assert (watch.moves, holders()) == (0, [other(held)])
    assert watch.gap < NOTHING


def test_the_addresses_leave_a_host_whose_service_fails(held):
    with Watch() as watch:
        hosts()[held].check_output("systemctl stop web")
        until(lambda: watch.now == other(held), 10)
    told(watch, "service stopped")
    assert watch.gap <= 3
    with Watch() as watch:
        hosts()[held].check_output("systemctl start web")
        time.sleep(LONG_ENOUGH)
    assert (watch.moves, holders()) == (0, [other(held)])
    assert watch.gap < NOTHING


def test_a_service_that_hangs_has_failed(held):
    hosts()[held].check_output("systemctl kill --signal=STOP web")
    try:
        until(lambda: holders() == [other(held)], 20)
    finally:
        hosts()[held].check_output("systemctl kill --signal=CONT web")


def test_a_host_that_is_busy_keeps_the_addresses(held):
    for host in hosts().values():
        host.check_output("touch /run/busy")
    try:
        with Watch() as watch:
            # Time enough for two checks that take too long.
            time.sleep(10)
        assert (watch.moves, holders()) == (0, [held])
    finally:
        for host in hosts().values():
            host.check_output("rm /run/busy")


def test_a_service_that_is_restarted_keeps_the_addresses(held):
    with Watch() as watch:
        hosts()[held].check_output("systemctl restart web")
        time.sleep(4)
    assert (watch.moves, holders()) == (0, [held])


def test_nobody_takes_addresses_that_he_cannot_serve(held):
    for host in hosts().values():
        host.check_output("systemctl stop web")
    until(lambda: holders() == [], 10)
    hosts()[held].check_output("systemctl restart keepalived")
    time.sleep(LONG_ENOUGH)
    assert holders() == []
    hosts()[held].check_output("systemctl start web")
    until(lambda: holders() == [held], 10)
    hosts()[other(held)].check_output("systemctl start web")


def test_a_holder_that_goes_in_order_hands_over_at_once(held):
    with Watch() as watch:
        hosts()[held].check_output("systemctl restart keepalived")
        until(lambda: watch.now == other(held), 10)
    told(watch, "keepalived restarted")
    assert watch.gap <= 1


def test_a_dead_daemon_comes_back_and_leaves_no_addresses_behind(held):
    with Watch() as watch:
        hosts()[held].check_output("systemctl kill --signal=KILL --kill-whom=main keepalived")
        until(lambda: watch.now == other(held), 10)
        until(lambda: hosts()[held].run("systemctl is-active keepalived").rc == 0)
        time.sleep(1)
    told(watch, "daemon killed")
    assert watch.gap <= 3
    assert holders() == [other(held)]


def test_the_unprivileged_run_the_check_and_read_nothing(host):
    assert host.check_output("cat /tmp/checked-by") == "nobody"
    assert host.run("setpriv --reuid nobody --regid nogroup --clear-groups cat /run/keepalived/keepalived.data").rc != 0
    assert not host.file("/tmp/keepalived.data").exists


def test_a_change_is_loaded_without_letting_go(held):
    with Watch() as watch:
        changed = playbook("converge", keepalived_priority=90, keepalived_check_interval=2)
    assert changed.returncode == 0, changed.stdout
    assert (watch.moves, holders()) == (0, [held])
    told(watch, "reload")
    assert watch.gap < NOTHING
    hosts()[held].check_output("grep -q 'Priority = 90' /run/keepalived/keepalived.data")


def test_a_reload_without_effect_is_a_failure_and_not_forgotten(held):
    stranger = hosts()[other(held)]
    deaf = "/run/systemd/system/keepalived.service.d"
    stranger.check_output(
        f"mkdir -p {deaf} && printf '[Service]\\nExecReload=\\nExecReload=/bin/true\\n' > {deaf}/zz.conf"
    )
    try:
        failed = playbook("converge", f"--limit={other(held)}", keepalived_priority=80)
    finally:
        stranger.check_output(f"rm {deaf}/zz.conf && systemctl daemon-reload")
    assert failed.returncode != 0
    assert "does not run with the new configuration" in failed.stdout
    again = playbook("converge", "--check", f"--limit={other(held)}", keepalived_priority=80)
    assert "changed=1 " in again.stdout, again.stdout
    healed = playbook("converge")
    assert healed.returncode == 0, healed.stdout
    assert holders() == [held]


def test_the_role_refuses_what_would_not_work(host):
    before = host.check_output(f"sha256sum {CONFIG}")
    mistaken = playbook(
        "converge",
        "--limit=one",
        keepalived_addresses=["10.89.125.100", "10.89.125.10/24"],
        keepalived_peers=[{"name": "six", "address": "fd00::6"}],
        keepalived_priority=255,
        keepalived_router_id=0,
        keepalived_interface="",
        keepalived_check_command="alive",
    )
    assert mistaken.returncode != 0
    for words in (
        '"10.89.125.100" is no address with prefix',
        "10.89.125.10 is this host's own address",
        "keepalived_peers: six (fd00::6)",
        "keepalived_priority: 255 is not",
        "keepalived_router_id: 0 is not",
        "keepalived_interface: the facts of this host know no interface with the address 10.89.125.10",
        "keepalived_check_command: begin with a full path",
    ):
        assert words in mistaken.stdout.replace("\\", ""), mistaken.stdout
    for variables, words in (
        ({"keepalived_addresses": ["fd00:89:125::100/64"]}, "none is of the family of keepalived_address"),
        ({"keepalived_check_command": "/etc/hostname"}, "nobody cannot execute /etc/hostname"),
        ({"keepalived_check_user": "nemo"}, "there is no user nemo"),
        ({"keepalived_advert_interval": 0}, f"{CONFIG} was left as it is"),
    ):
        refused = playbook("converge", "--limit=one", **variables)
        assert refused.returncode != 0
        assert words in refused.stdout, refused.stdout
    assert host.check_output(f"sha256sum {CONFIG}") == before


def test_a_group_of_one(held):
    with Watch() as watch:
        gone = playbook("leave", f"--limit={other(held)}")
        assert gone.returncode == 0, gone.stdout
        alone = playbook("converge", f"--limit={held}", keepalived_peers=[])
        assert alone.returncode == 0, alone.stdout
        time.sleep(3)
        assert hosts()[other(held)].run("systemctl is-enabled keepalived").rc != 0
        assert hosts()[other(held)].file(CONFIG).exists
        again = playbook("leave", f"--limit={other(held)}")
        assert "changed=0 " in again.stdout, again.stdout
        # And two again, both in one run.
        together = playbook("converge")
        assert together.returncode == 0, together.stdout
        time.sleep(LONG_ENOUGH)
    told(watch, "alone and together")
    assert (watch.moves, holders()) == (0, [held])
    assert watch.gap < NOTHING


def test_a_holder_that_leaves_hands_over_at_once(held):
    with Watch() as watch:
        gone = playbook("leave", f"--limit={held}")
        assert gone.returncode == 0, gone.stdout
        until(lambda: watch.now == other(held), 5)
    told(watch, "left")
    assert watch.gap <= 1
    back = playbook("converge")
    assert back.returncode == 0, back.stdout
    assert hosts()[held].service("keepalived").is_enabled
