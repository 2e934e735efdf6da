"""The calculations as filters: through a real template, with documentation that tells the truth."""

from __future__ import annotations

import importlib
import inspect

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from jinja2.nativetypes import NativeEnvironment

NAMES = ["memory_shares", "postgres_tuning", "uwsgi_processes"]


def plugin(name):
    return importlib.import_module(f"ansible_collections.tiered.django.plugins.filter.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_documented_options_are_the_arguments(name):
    options = yaml.safe_load(plugin(name).DOCUMENTATION)["options"]
    _, *others = inspect.signature(plugin(name).FilterModule().filters()[name]).parameters.values()
    assert set(options) == {"_input", *(parameter.name for parameter in others)}
    for parameter in others:
        required = parameter.default is inspect.Parameter.empty
        assert options[parameter.name].get("required", False) == required
        assert required or options[parameter.name]["default"] == parameter.default


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_example_gives_the_documented_sample(name):
    module = plugin(name)
    example = yaml.safe_load(module.EXAMPLES)[0]["ansible.builtin.debug"]["msg"]
    sample = yaml.safe_load(module.RETURN)["_value"]["sample"]
    environment = NativeEnvironment()
    environment.filters[f"tiered.django.{name}"] = module.FilterModule().filters()[name]
    value = environment.from_string(example).render(
        ansible_facts={"memtotal_mb": 2048},
        group_names=["app_servers", "balancers", "cache_servers", "database_servers", "media_servers"],
    )
    if name == "memory_shares":
        assert value == sample["database_servers"]
    elif name == "postgres_tuning":
        assert sample.items() <= value.items()
    else:
        assert value == sample


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("memory_shares", {"memtotal_mb": "much", "tiers": []}),
        ("postgres_tuning", {"memory_mb": 10}),
        ("uwsgi_processes", {"memory_mb": 512, "cores": 0}),
    ],
)
def test_bad_input_fails_as_a_filter_with_its_name(name, arguments):
    with pytest.raises(AnsibleFilterError, match=rf"tiered\.django\.{name}: \w+ must be "):
        plugin(name).FilterModule().filters()[name](**arguments)
