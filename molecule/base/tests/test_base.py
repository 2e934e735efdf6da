"""The guarded hosts as their peers see them."""

import os
import subprocess
import time

import pytest
import testinfra

testinfra_hosts = ["guarded"]

CONNECT = """
import socket
try:
    with socket.create_connection(("{address}", {port}), timeout=5) as connection:
        connection.sendall(b"HEAD / HTTP/1.0\\r\\n\\r\\n")
        print("answered" if connection.recv(100) else "closed")
except OSError as error:
    print(type(error).__name__)
"""


def container(name):
    return f"tiered-{os.environ['LAB_NAME']}-{name}"


@pytest.fixture(scope="module")
def reach(inventory):
    """Connect to a port of the host under test from a peer and tell what came of it."""

    def reach(peer, port):
        script = CONNECT.format(address=inventory["ansible_host"], port=port)
        return testinfra.get_host(f"podman://{container(peer)}").check_output("python3 -c %s", script)

    return reach


def guard_stands(reach):
    return (reach("friend", 8001), reach("stranger", 8001)) == ("answered", "ConnectionRefusedError")


@pytest.mark.parametrize("port", [8001, 9001])
def test_named_peer_is_admitted_to_named_ports(reach, port):
    assert reach("friend", port) == "answered"


@pytest.mark.parametrize(("peer", "port"), [("stranger", 8001), ("stranger", 9001), ("friend", 8002)])
def test_all_else_is_refused_at_once(reach, peer, port):
    assert reach(peer, port) == "ConnectionRefusedError"


def test_ssh_and_ping_are_open_to_everybody(reach, inventory):
    assert reach("stranger", 22) == "answered"
    stranger = testinfra.get_host(f"podman://{container('stranger')}")
    assert stranger.run(f"ping -c1 -W2 {inventory['ansible_host']}").succeeded


def test_host_reaches_itself_and_others(host, inventory):
    for address, port in (("127.0.0.1", 8002), (inventory["ansible_host"], 8002), ("10.89.107.22", 22)):
        script = CONNECT.format(address=address, port=port)
        assert host.check_output("python3 -c %s", script) == "answered"


def test_foreign_rules_are_left_alone(host):
    assert host.run("nft list table ip foreign").succeeded


def test_guard_stands_after_the_other_firewall_was_restarted(host, reach):
    assert host.run("systemctl restart nftables.service").succeeded
    assert guard_stands(reach)
    assert host.run("systemctl reload nftables.service").succeeded
    assert guard_stands(reach)
    assert host.run("nft list table ip foreign").succeeded


def test_own_restart_leaves_foreign_rules_alone(host, reach):
    host.check_output("nft add table ip only-in-the-kernel")
    assert host.run("systemctl restart tiered-firewall.service").succeeded
    assert host.run("nft list table ip only-in-the-kernel").succeeded
    assert guard_stands(reach)


def test_kernel_settings_are_live(host, inventory):
    if not inventory.get("lab_privileged"):
        pytest.skip("this container cannot have kernel settings of its own")
    assert int(host.file("/proc/sys/net/ipv4/tcp_max_syn_backlog").content_string) == 4096
    assert int(host.file("/proc/sys/net/core/somaxconn").content_string) == 4096


def test_security_upgrades_are_the_only_unattended_ones(host):
    settings = host.check_output("apt-config dump")
    assert 'APT::Periodic::Unattended-Upgrade "1";' in settings
    origins = [line for line in settings.splitlines() if line.startswith("Unattended-Upgrade::Origins-Pattern:: ")]
    assert len(origins) == 2
    assert all("-security" in origin for origin in origins)
    assert host.run("unattended-upgrade --dry-run").succeeded


def test_clock_is_kept_after_a_reboot(host):
    assert host.service("systemd-timesyncd").is_enabled


def test_guard_stands_after_a_reboot(host, inventory, reach):
    subprocess.run(["podman", "restart", "--time", "2", host.backend.name], check=True, capture_output=True)
    end = time.monotonic() + 40
    while True:
        # The container has a new network card now; by its own packets the peers learn to find it.
        for peer in ("10.89.107.21", "10.89.107.22"):
            host.run(f"ping -c1 -W2 {peer}")
        if guard_stands(reach):
            break
        assert time.monotonic() < end, "the guard does not stand again"
    if inventory.get("lab_privileged"):
        assert int(host.file("/proc/sys/net/ipv4/tcp_max_syn_backlog").content_string) == 4096
