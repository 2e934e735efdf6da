"""Expose sizing.postgres_tuning as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: postgres_tuning
short_description: Tune PostgreSQL for a host
version_added: 0.1.0
author: tiered.django contributors
description:
  - Turns memory and cores into settings of C(postgresql.conf), valid for PostgreSQL 15 to 17.
  - The collection's C(docs/sizing.md) shows each formula with its reason.
options:
  _input:
    description: What the database may plan with, in MB; at least 64.
    type: int
    required: true
  cores:
    description: The host's cores.
    type: int
    default: 2
  max_connections:
    description: The value of the setting of that name, between whose connections memory for sorting is divided.
    type: int
    default: 100
"""

EXAMPLES = r"""
- name: Show the settings of a database server with 8 GB and four cores
  ansible.builtin.debug:
    msg: "{{ 8192 | tiered.django.postgres_tuning(cores=4, max_connections=200) }}"
"""

RETURN = r"""
_value:
  description: Settings by name. Sizes and fractions are strings, counts are numbers.
  type: dict
  sample: {shared_buffers: 2048MB, effective_cache_size: 6144MB, work_mem: 10280kB, random_page_cost: "1.1"}
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import sizing


def postgres_tuning(memory_mb, cores=2, max_connections=100):
    """Call the calculation; its objections become a filter's."""
    try:
        return sizing.postgres_tuning(memory_mb, cores, max_connections)
    except ValueError as error:
        raise AnsibleFilterError(f"tiered.django.postgres_tuning: {error}") from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"postgres_tuning": postgres_tuning}
