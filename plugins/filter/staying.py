"""Leave out the hosts that leave a tier."""

from __future__ import annotations

DOCUMENTATION = r"""
name: staying
short_description: Leave out the hosts that leave a tier
version_added: 0.1.0
author: tiered.django contributors
description:
  - A host leaves when its C(topology_leaving) is true, V(gone), the tier, or a list with the tier in it.
positional: hostvars, tier, until_left
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
  tier:
    description: Name of the tier.
    type: str
    required: true
  until_left:
    description: Keep hosts that have not left yet, by their C(topology_left).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which application servers stay
  ansible.builtin.debug:
    msg: "{{ groups['app_servers'] | tiered.django.staying(hostvars, 'app_servers') }}"
"""

RETURN = r"""
_value:
  description: The hosts that stay, in the order of the input.
  type: list
  elements: str
"""

from ansible_collections.tiered.django.plugins.module_utils import wiring


def staying(hosts, hostvars, tier, until_left=False):
    """Return the hosts that stay."""
    return wiring.staying(hosts, hostvars, tier, until_left)


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"staying": staying}
