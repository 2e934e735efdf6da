"""Expose sizing.memory_shares as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: memory_shares
short_description: Divide a host's memory between its tiers
version_added: 0.1.0
author: tiered.django contributors
description:
  - Tells how much memory each tier of a host may plan with.
  - The operating system keeps a tenth, at least 256 MB, at most 2048 MB, and never more than a quarter.
  - The rest is divided by weight. C(database_servers) and C(app_servers) weigh 4, C(cache_servers) 2,
    C(media_servers) and C(balancers) 1.
options:
  _input:
    description: The host's memory in MB.
    type: int
    required: true
  tiers:
    description: The groups that the host stands in. Groups that are no tiers count for nothing.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show what the database may plan with
  ansible.builtin.debug:
    msg: "{{ (ansible_facts['memtotal_mb'] | tiered.django.memory_shares(group_names))['database_servers'] }}"
"""

RETURN = r"""
_value:
  description: MB by tier, for the tiers among the groups.
  type: dict
  sample: {database_servers: 597, app_servers: 597, cache_servers: 298, media_servers: 149, balancers: 149}
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import sizing


def memory_shares(memtotal_mb, tiers):
    """Call the calculation; its objections become a filter's."""
    try:
        return sizing.memory_shares(memtotal_mb, tiers)
    except ValueError as error:
        raise AnsibleFilterError(f"tiered.django.memory_shares: {error}") from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"memory_shares": memory_shares}
