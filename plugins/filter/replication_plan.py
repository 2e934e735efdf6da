"""Tell which database server is the primary."""

from __future__ import annotations

DOCUMENTATION = r"""
name: replication_plan
short_description: Tell which database server is the primary and who follows it
version_added: 0.1.0
author: tiered.django contributors
description:
  - Decides by what the servers are, and by their order only where none of them has data yet.
positional: states, leaving, returning
options:
  _input:
    description: Inventory names of the database servers that stay, in their order.
    type: list
    elements: str
    required: true
  states:
    description: By host what M(tiered.django.postgres_cluster_info) says; hosts that cannot be asked are left out.
    type: dict
    required: true
  leaving:
    description: Inventory names of those that leave the tier.
    type: list
    elements: str
    default: []
  returning:
    description: Inventory names of those that shall become replicas whatever they are now.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show the primary
  ansible.builtin.debug:
    msg: "{{ ['db1', 'db2'] | tiered.django.replication_plan({'db1': db1_found.cluster, 'db2': db2_found.cluster}) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(primary), its C(replicas), former primaries that are C(held), whether all is C(fresh), the C(problems) for which
    nothing may be changed, and C(remarks).
  type: dict
"""

from ansible_collections.tiered.django.plugins.module_utils import replication


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"replication_plan": replication.plan}
