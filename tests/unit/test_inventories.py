"""The shipped inventories."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

INVENTORIES = sorted((Path(__file__).parents[2] / "inventories").iterdir())
TIERS = {"balancers", "app_servers", "media_servers", "cache_servers", "database_servers"}


def test_they_differ_in_hosts_only():
    variables = {(inventory / "group_vars/all.yml").read_text() for inventory in INVENTORIES}
    assert len(variables) == 1


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)
def test_every_tier_exists(inventory):
    groups = yaml.safe_load((inventory / "hosts.yml").read_text())
    assert set(groups) == TIERS | {"all"}
    assert all(groups[tier]["hosts"] for tier in TIERS)


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)
def test_every_host_stands_in_a_tier(inventory):
    groups = yaml.safe_load((inventory / "hosts.yml").read_text())
    placed = {host for tier in TIERS for host in groups[tier]["hosts"]}
    assert placed == set(groups["all"]["hosts"])
