"""Select the firewall rules of one host from the links of the topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: firewall_rules
short_description: Select the firewall rules of one host from the links of the topology
version_added: 0.1.0
author: tiered.django contributors
description:
  - Keeps the links that end at the host and replaces the hosts they begin at by their addresses.
  - A link that begins and ends on the host alone needs no rule.
positional: hostvars, host
options:
  _input:
    description:
      - The links. C(name), C(from) (inventory names, or V(everyone)), C(to) (inventory names), C(ports), C(protocol).
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  host:
    description: Inventory name of the host that is protected.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whom the firewall of this host lets in
  ansible.builtin.debug:
    msg: "{{ topology_links | tiered.django.firewall_rules(hostvars, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: C(name), C(ports), C(protocol) and C(sources) of each rule. Empty sources stand for everyone.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import wiring


def firewall_rules(links, hostvars, host):
    """Return the rules of one host."""
    try:
        return wiring.firewall_rules(links, hostvars, host)
    except wiring.WiringError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"firewall_rules": firewall_rules}
