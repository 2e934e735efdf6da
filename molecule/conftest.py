"""Fixtures shared by the Testinfra suites of every scenario."""

import os

import pytest
import testinfra


@pytest.fixture(scope="module")
def host(_testinfra_host):
    """Reach the container with podman exec, not with one ansible run per command."""
    name = f"tiered-{os.environ['LAB_NAME']}-{_testinfra_host.backend.host}"
    return testinfra.get_host(f"podman://{name}")


@pytest.fixture(scope="module")
def inventory(_testinfra_host):
    """Return the inventory variables of the host under test, "groups" included."""
    return _testinfra_host.backend.get_variables()
