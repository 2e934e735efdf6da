"""The balancer under test, with everything behind it well."""

import pytest
from front import Front, HAProxy, order
from waiting import until


@pytest.fixture(scope="module")
def front(inventory):
    return Front(inventory["ansible_host"])


@pytest.fixture(scope="module")
def servers(inventory):
    return {server["name"]: server["address"] for server in inventory["haproxy_sites"][0]["app_servers"]}


@pytest.fixture(scope="module")
def haproxy(host):
    return HAProxy(host)


@pytest.fixture
def well(haproxy, servers):
    """Wait until all servers take part."""
    for address in servers.values():
        order(address, "/ready")
    until(lambda: set(haproxy.status().values()) == {"UP"})
