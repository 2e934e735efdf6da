"""Tell why a replica should not take over as the primary now."""

from __future__ import annotations

DOCUMENTATION = r"""
name: switchover_problems
short_description: Tell why a replica should not take over as the primary now
version_added: 0.1.0
author: tiered.django contributors
description:
  - A replica takes over where it has all that the primary has, or has it at once, and nobody's work is broken off.
positional: states, primary
options:
  _input:
    description: Inventory name of the replica.
    type: str
    required: true
  states:
    description: By host what M(tiered.django.postgres_cluster_info) says; hosts that cannot be asked are left out.
    type: dict
    required: true
  primary:
    description: Inventory name of the primary, empty when there is none any more.
    type: str
    required: true
  lag_mb:
    description: How far the replica may be behind, in MiB.
    type: int
    default: 16
  transaction_seconds:
    description: How long a transaction may be open that would be broken off.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Show what is against it
  ansible.builtin.debug:
    msg: "{{ 'db2' | tiered.django.switchover_problems(topology_database_states, 'db1') }}"
"""

RETURN = r"""
_value:
  description: A sentence for each reason, none when it can take over.
  type: list
  elements: str
"""

from ansible_collections.tiered.django.plugins.module_utils import replication


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"switchover_problems": replication.switchover_problems}
