"""Tell in what an inventory differs from one of the five topologies."""

from __future__ import annotations

DOCUMENTATION = r"""
name: shape_differences
short_description: Tell in what an inventory differs from one of the five topologies
version_added: 0.1.0
author: tiered.django contributors
description:
  - Compares who stands in which tiers with what the topology of that name asks for.
positional: shape
options:
  _input:
    description: The inventory names of each tier's hosts, by the name of the tier.
    type: dict
    required: true
  shape:
    description: The topology.
    type: str
    choices: [single_server, n_tier, separated_media, load_balanced, big_cluster]
    required: true
"""

EXAMPLES = r"""
- name: Make sure that the database has a server of its own
  ansible.builtin.assert:
    that: groups | tiered.django.shape_differences('n_tier') | length == 0
"""

RETURN = r"""
_value:
  description: A clause for each difference; none when the inventory has the shape.
  type: list
  elements: str
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import shapes


def shape_differences(tiers, shape):
    """Return a clause for each difference."""
    if shape not in shapes.SHAPES:
        raise AnsibleFilterError(f"there is no topology {shape}; there are {', '.join(shapes.SHAPES)}")
    return shapes.differences(tiers, shape)


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"shape_differences": shape_differences}
