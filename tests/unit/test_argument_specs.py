"""What a role says of its arguments is what it does: defaults and argument specs agree in names and values."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROLES = sorted(path for path in Path(__file__).parents[2].glob("roles/*") if path.is_dir())
FILES = [
    "README.md",
    "defaults/main.yml",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "molecule/default/molecule.yml",
    "tasks/main.yml",
]
# Tested by a target of the Makefile, for no container can do what they need.
IN_VIRTUAL_MACHINES = ["nfs"]
SECRET = re.compile("key|password|secret")

every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def defaults_of(role):
    return yaml.safe_load((role / "defaults/main.yml").read_text()) or {}


def entry_points(role):
    return yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]


def options_of(entry_point):
    return entry_point.get("options") or {}


def walk(options, path=""):
    """Yield the path, the name and the specification of every option, nested ones included."""
    for name, option in (options or {}).items():
        yield f"{path}{name}", name, option
        yield from walk(option.get("options"), f"{path}{name}.")


def every_option(role):
    return [found for entry in entry_points(role).values() for found in walk(options_of(entry))]


@every_role
def test_the_role_has_the_files_of_the_house(role):
    assert [name for name in FILES if not (role / name).is_file()] == []


@every_role
def test_the_role_finds_its_scenario(role):
    assert yaml.safe_load((role / "molecule/default/molecule.yml").read_text()) == {"scenario": {"name": role.name}}
    scenario = role.parents[1] / "molecule" / role.name
    assert (scenario / ("run.py" if role.name in IN_VIRTUAL_MACHINES else "molecule.yml")).is_file()


@every_role
def test_every_default_is_an_argument_and_every_optional_argument_has_a_default(role):
    optional, required = set(), set()
    for entry in entry_points(role).values():
        for name, option in options_of(entry).items():
            (required if option.get("required") else optional).add(name)
    defaults = set(defaults_of(role))
    # An argument may be required for one entry point and optional for another.
    assert defaults - required == optional - required
    assert optional <= defaults


@every_role
def test_values_of_defaults_and_arguments_agree(role):
    defaults = {name: repr(value) for name, value in defaults_of(role).items()}
    for entry in entry_points(role).values():
        options = {name: option for name, option in options_of(entry).items() if not option.get("required")}
        stated = {name: repr(option["default"]) for name, option in options.items() if "default" in option}
        # A default that is calculated may be explained in words instead.
        calculated = {name for name, value in defaults.items() if "{{" in value or "{%" in value}
        assert stated == {name: defaults[name] for name in options if name in stated or name not in calculated}


@every_role
def test_arguments_carry_the_name_of_the_role(role):
    names = {name for entry in entry_points(role).values() for name in options_of(entry)}
    assert {name for name in names | set(defaults_of(role)) if not name.startswith(f"{role.name}_")} == set()


@every_role
def test_every_entry_point_is_a_task_file_with_a_description(role):
    for name, entry in entry_points(role).items():
        assert (role / "tasks" / f"{name}.yml").is_file()
        assert entry.get("short_description")
        assert entry.get("description")


@every_role
def test_every_argument_has_a_type_and_a_description(role):
    assert [path for path, _, option in every_option(role) if not option.get("type")] == []
    assert [path for path, _, option in every_option(role) if not option.get("description")] == []


@every_role
def test_a_required_argument_has_no_default(role):
    wrong = [path for path, _, option in every_option(role) if option.get("required") and "default" in option]
    assert wrong == []


@every_role
def test_lists_say_what_they_hold(role):
    lists = [(path, option) for path, _, option in every_option(role) if option.get("type") == "list"]
    assert [path for path, option in lists if "elements" not in option] == []
    assert [path for path, option in lists if option.get("elements") == "dict" and not option.get("options")] == []


@every_role
def test_secrets_are_kept_out_of_logs(role):
    # A path to a secret is none: it says so with `no_log: false`.
    texts = [
        (path, option) for path, name, option in every_option(role) if SECRET.search(name) and option["type"] == "str"
    ]
    assert [path for path, option in texts if "no_log" not in option] == []
    assert [path for path, option in texts if "password" in path and not option["no_log"]] == []
