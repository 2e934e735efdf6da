"""The shipped pictures show the shipped inventories."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INVENTORIES = sorted(path.parent for path in ROOT.glob("inventories/*/hosts.yml"))

every_topology = pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: path.name)


@pytest.fixture
def draw(tmp_path):
    """Return a function that draws an inventory with the playbook and returns the picture and what was printed."""
    collections = tmp_path / "ansible_collections" / "tiered"
    collections.mkdir(parents=True)
    (collections / "django").symlink_to(ROOT)
    # Whoever contacts a host leaves a trace, and would wait for ever.
    trap = tmp_path / "ssh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/contacted\nexec sleep 60\n")
    trap.chmod(0o755)

    def run(inventory, *arguments):
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(tmp_path),
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_SSH_EXECUTABLE": str(trap),
        }
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", str(inventory), "tiered.django.diagram"]
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=50
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        assert not (tmp_path / "contacted").exists(), "a host was contacted"
        assert "DEPRECATION" not in printed
        return printed

    return run


@every_topology
def test_the_shipped_picture_is_not_stale(draw, inventory, tmp_path):
    printed = draw(inventory, "-e", f"diagram_file={tmp_path}/drawn.svg")
    assert f"The picture is in {tmp_path}/drawn.svg" in printed
    shipped = ROOT / f"docs/topologies/{inventory.name}.svg"
    remedy = (
        "make install && ANSIBLE_COLLECTIONS_PATH=.cache/collections .venv/bin/ansible-playbook"
        f" -i inventories/{inventory.name} -e diagram_file=docs/topologies/{inventory.name}.svg tiered.django.diagram"
    )
    current = shipped.exists() and shipped.read_text() == (tmp_path / "drawn.svg").read_text()
    assert current, f"docs/topologies/{inventory.name}.svg is stale. Draw it again, and look at it:\n    {remedy}"


@every_topology
def test_the_shipped_picture_names_all_hosts_and_is_shown(inventory):
    picture = ElementTree.parse(ROOT / f"docs/topologies/{inventory.name}.svg").getroot()
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    hosts = yaml.safe_load((inventory / "hosts.yml").read_text())["all"]["hosts"]
    assert set(hosts) - set(texts) == set()
    assert {host["private_address"] for host in hosts.values()} - set(texts) == set()
    assert f"](topologies/{inventory.name}.svg)" in (ROOT / "docs/topologies.md").read_text()


def test_a_second_run_changes_nothing_and_the_picture_lies_beside_the_inventory(draw, tmp_path):
    inventory = tmp_path / "mysite"
    inventory.mkdir()
    for name in ("hosts.yml", "group_vars"):
        (inventory / name).symlink_to(ROOT / "inventories/n_tier" / name)
    assert "changed=1" in draw(inventory, "--check")
    assert not (tmp_path / "mysite.svg").exists()
    assert "changed=1" in draw(inventory)
    assert (tmp_path / "mysite.svg").exists()
    assert "changed=0" in draw(inventory)


def test_a_relative_path_is_seen_from_where_one_stands(draw, tmp_path):
    assert f"The picture is in {tmp_path}/mine.svg" in draw(ROOT / "inventories/n_tier", "-e", "diagram_file=mine.svg")
    assert (tmp_path / "mine.svg").exists()
