"""Turn inventory hosts into the endpoints that their clients connect to."""

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
short_description: Turn hosts into the endpoints that their clients connect to
version_added: 0.1.0
author: tiered.django contributors
description:
  - The address of a host is its C(private_address), else its C(ansible_host) when that is an IP address, else the
    default address from its facts.
  - Fails with the names of all hosts whose address is not known.
positional: hostvars, port, clients
options:
  _input:
    description: Inventory names of the hosts that serve.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  port:
    description: TCP port of every endpoint.
    type: int
  clients:
    description:
      - Inventory names of the hosts that connect.
      - When servers and clients are one and the same host, the address is V(127.0.0.1).
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show where the application finds its cache
  ansible.builtin.debug:
    msg: "{{ groups['cache_servers'] | tiered.django.endpoints(hostvars, 11211, groups['app_servers']) }}"
"""

RETURN = r"""
_value:
  description: C(name), C(address) and C(port) of each host, in the order of the input.
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import wiring


def endpoints(servers, hostvars, port=None, clients=None):
    """Return name, address and port of each host."""
    try:
        return wiring.endpoints(servers, hostvars, port, clients)
    except wiring.WiringError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"endpoints": endpoints}
