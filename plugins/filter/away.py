"""Select the hosts that are not to be contacted."""

from __future__ import annotations

DOCUMENTATION = r"""
name: away
short_description: Select the hosts that are not to be contacted
version_added: 0.1.0
author: tiered.django contributors
description:
  - They are the hosts whose C(topology_absent) is true, and those whose C(topology_leaving) is V(gone).
positional: hostvars
options:
  _input:
    description: Inventory names.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show whom a run does not contact
  ansible.builtin.debug:
    msg: "{{ groups['all'] | tiered.django.away(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Their inventory names.
  type: list
  elements: str
"""

from ansible_collections.tiered.django.plugins.module_utils import wiring


def away(hosts, hostvars):
    """Return the hosts that are not to be contacted."""
    return [host for host in hosts if wiring.is_away(hostvars[host])]


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"away": away}
