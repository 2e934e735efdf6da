"""Tell whom a host talks to, from the links of the topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: peers
short_description: Tell whom a host talks to
version_added: 0.1.0
author: tiered.django contributors
description:
  - Keeps the links that begin or end at the host, with the addresses of the hosts at their other ends.
  - All that a host's configuration takes from the inventory follows from them. A host whose peers are others than those
    that it was set up with must be set up again.
positional: hostvars, host
options:
  _input:
    description:
      - The links. C(name), C(from) (inventory names, or V(everyone)), C(to) (inventory names), C(ports).
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  host:
    description: Inventory name of the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whom this host talks to
  ansible.builtin.debug:
    msg: "{{ topology_links | tiered.django.peers(hostvars, inventory_hostname) }}"
"""

RETURN = r"""
_value:
  description: By name of the link its C(ports), and C(from) or C(to) with the addresses by inventory name.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import wiring


def peers(links, hostvars, host):
    """Return the peers of one host by link."""
    try:
        return wiring.peers(links, hostvars, host)
    except wiring.WiringError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"peers": peers}
