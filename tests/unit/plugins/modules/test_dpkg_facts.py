"""What dpkg says of packages, as facts."""

from __future__ import annotations

from ansible_collections.tiered.django.plugins.modules.dpkg_facts import installed


def test_facts_have_the_form_of_package_facts():
    entry = {"name": "memcached", "version": "1.6.38-1", "arch": "amd64", "source": "apt"}
    assert installed("installed\tmemcached\t1.6.38-1\tamd64\n") == {"memcached": [entry]}


def test_a_package_that_left_only_its_configuration_is_not_installed():
    assert installed("config-files\thaproxy\t3.0.11-1\tamd64\nhalf-installed\tnginx\t1.26\tamd64\n") == {}


def test_a_package_of_two_architectures_is_one_with_two_entries():
    found = installed("installed\tlibc6\t2.41\tamd64\ninstalled\tlibc6\t2.41\ti386\n")
    assert [entry["arch"] for entry in found["libc6"]] == ["amd64", "i386"]
