"""Return the installed packages of a host as facts, as quickly as dpkg knows them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dpkg_facts
short_description: Tell which Debian packages a host has
version_added: 0.1.0
author: tiered.django contributors
description:
  - Returns the same facts as M(ansible.builtin.package_facts) for packages that are installed. It asks dpkg itself,
    where that module opens the package lists of apt, too, which takes three times as long.
options: {}
attributes:
  check_mode:
    description: Can run in check mode, for it only reads.
    support: full
"""

EXAMPLES = r"""
- name: Read which packages each host has
  tiered.django.dpkg_facts:

- name: Install memcached
  ansible.builtin.apt:
    name: memcached
  when: "'memcached' not in ansible_facts['packages']"
"""

RETURN = r"""
ansible_facts:
  description: What is installed.
  returned: always
  type: dict
  contains:
    packages:
      description: The installed packages by name, each with its architectures and their versions.
      type: dict
      sample: {memcached: [{name: memcached, version: 1.6.38-1, arch: amd64, source: apt}]}
"""

from ansible.module_utils.basic import AnsibleModule

FORMAT = r"${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n"


def installed(listing: str) -> dict[str, list[dict[str, str]]]:
    """Return the installed packages of a listing in FORMAT, by name, in the form of package_facts."""
    packages: dict[str, list[dict[str, str]]] = {}
    for line in listing.splitlines():
        status, name, version, architecture = line.split("\t")
        if status == "installed":
            entry = {"name": name, "version": version, "arch": architecture, "source": "apt"}
            packages.setdefault(name, []).append(entry)
    return packages


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    _, listing, _ = module.run_command(["dpkg-query", "--show", "--showformat", FORMAT], check_rc=True)
    module.exit_json(ansible_facts={"packages": installed(listing)})


if __name__ == "__main__":
    main()
