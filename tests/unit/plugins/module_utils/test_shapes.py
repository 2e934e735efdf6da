"""The shipped inventories have the shapes that they are named after, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.tiered.django.plugins.module_utils import shapes

INVENTORIES = Path(__file__).parents[4] / "inventories"


def tiers_of(name):
    groups = yaml.safe_load((INVENTORIES / name / "hosts.yml").read_text())
    return {tier: list(groups[tier]["hosts"]) for tier in shapes.TIERS}


@pytest.mark.parametrize("name", shapes.SHAPES)
def test_a_shipped_inventory_has_the_shape_of_its_name(name):
    assert shapes.differences(tiers_of(name), name) == []


@pytest.mark.parametrize("name", ["single_server", "n_tier", "separated_media", "load_balanced"])
def test_no_smaller_inventory_passes_for_a_bigger_topology(name):
    names = list(shapes.SHAPES)
    for bigger in names[names.index(name) + 1 :]:
        assert shapes.differences(tiers_of(name), bigger) != []


def test_each_difference_is_said():
    tiers = {**tiers_of("big_cluster"), "balancers": ["app1"], "cache_servers": ["cache1", "db1"]}
    assert shapes.differences(tiers, "big_cluster") == [
        "balancers has fewer than two hosts",
        "a host stands in both balancers and app_servers",
        "a host stands in both cache_servers and database_servers",
    ]


def test_a_single_server_has_all_tiers():
    tiers = {**tiers_of("single_server"), "cache_servers": ["cache1"]}
    assert shapes.differences(tiers, "single_server") == [
        "balancers, app_servers, media_servers, cache_servers and database_servers are not the same hosts"
    ]
