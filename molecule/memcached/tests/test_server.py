"""What is not to be seen on the server."""

import memcache
import pytest

testinfra_hosts = ["cache_servers"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_addresses_that_are_not_listed_are_closed(host, inventory, address):
    assert memcache.talk(host, inventory["ansible_host"], "version\r\n")[0].startswith("VERSION")
    assert memcache.talk(host, address, "version\r\n")[0] == "ConnectionRefusedError"


def test_it_comes_back_after_a_reboot(host):
    assert host.service("memcached").is_enabled


def test_it_may_open_as_many_files_as_it_has_clients(host):
    pid = host.check_output("systemctl show --property MainPID --value memcached")
    limits = host.file(f"/proc/{pid}/limits").content_string
    (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
    assert int(line.split()[3]) >= 40
