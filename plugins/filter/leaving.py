"""Tell which hosts leave which tiers."""

from __future__ import annotations

DOCUMENTATION = r"""
name: leaving
short_description: Tell which hosts leave which tiers
version_added: 0.1.0
author: tiered.django contributors
description:
  - A host leaves when its C(topology_leaving) is true, V(gone), the tier, or a list with the tier in it.
positional: hostvars
options:
  _input:
    description: The hosts of each tier, for example the variable C(groups).
    type: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who leaves
  ansible.builtin.debug:
    msg: "{{ groups | tiered.django.leaving(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The hosts that leave, by tier.
  type: dict
"""

from ansible_collections.tiered.django.plugins.module_utils import wiring


def leaving(groups, hostvars):
    """Return the hosts that leave, by tier."""
    return wiring.leaving(groups, hostvars)


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"leaving": leaving}
