"""What a client sees over the network."""

import memcache
import pytest

testinfra_hosts = ["clients"]


@pytest.fixture(params=[0, 1], ids=["trixie", "bookworm"])
def address(request, inventory):
    """Return the address of one of the servers."""
    return inventory["cache_addresses"][request.param]


def test_what_is_stored_is_found(host, address):
    stored, found = memcache.talk(host, address, "set front 0 60 5\r\nnews!\r\n", "get front\r\n")
    assert stored == "STORED\r\n"
    assert found == "VALUE front 0 5\r\nnews!\r\nEND\r\n"


def test_udp_is_not_answered(host, address):
    assert memcache.datagram(host, address) == "ConnectionRefusedError"


def test_connections_end_at_the_limit(host, address):
    answers = memcache.talk(host, address, "version\r\n", connections=60)
    served = [answer for answer in answers if answer.startswith("VERSION")]
    assert 40 <= len(served) < 48  # some versions set less aside for themselves
    assert "Too many open connections" in answers[len(served)]


def test_memory_ends_at_the_limit(host, address):
    before = int(memcache.statistics(host, address)["evictions"])
    size = 900_000
    store = f"fill-%d 0 60 {size}\r\n"
    script = (
        "import socket, sys\n"
        f"connection = socket.create_connection(({address!r}, 11211), timeout=5)\n"
        "for number in range(60):\n"
        f"    connection.sendall(b'set {store.strip()}\\r\\n' % number + b'x' * {size} + b'\\r\\n')\n"
        "    assert connection.recv(100) == b'STORED\\r\\n'\n"
    )
    host.check_output("python3 -c %s", script)
    after = memcache.statistics(host, address)
    assert int(after["limit_maxbytes"]) == 32 * 2**20
    assert int(after["bytes"]) <= 32 * 2**20
    assert int(after["evictions"]) > before
