"""Expose sizing.uwsgi_processes as a filter."""

from __future__ import annotations

DOCUMENTATION = r"""
name: uwsgi_processes
short_description: Size an application server
version_added: 0.1.0
author: tiered.django contributors
description:
  - Tells how many uWSGI processes an application server runs.
  - Two processes a core, bounded by memory. A process is planned with 128 MB, and 8 MB for each thread beyond two.
  - At least one process.
options:
  _input:
    description: What the application may plan with, in MB.
    type: int
    required: true
  cores:
    description: The host's cores.
    type: int
    default: 2
  threads:
    description: Threads in each process.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Show the number of processes of an application server with 2 GB
  ansible.builtin.debug:
    msg: "{{ 2048 | tiered.django.uwsgi_processes(cores=4) }}"
"""

RETURN = r"""
_value:
  description: The number of processes.
  type: int
  sample: 8
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import sizing


def uwsgi_processes(memory_mb, cores=2, threads=1):
    """Call the calculation; its objections become a filter's."""
    try:
        return sizing.uwsgi_processes(memory_mb, cores, threads)
    except ValueError as error:
        raise AnsibleFilterError(f"tiered.django.uwsgi_processes: {error}") from error


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"uwsgi_processes": uwsgi_processes}
