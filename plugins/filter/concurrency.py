"""Tell how many requests each application server works on at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: concurrency
short_description: Tell how many requests each application server works on at once
version_added: 0.1.0
author: tiered.django contributors
description:
  - Adds C(maxconn) to endpoints, the product of the server's uWSGI processes and threads, so that the balancer sends a
    server exactly as many requests as it can work on.
  - C(uwsgi_processes) and C(uwsgi_threads) of the inventory win. Without them the number of processes follows from the
    host's cores and from its memory, which is shared between the tiers that it stands in.
  - Hosts that are marked as absent tell nothing. They count like the smallest of the others until they are back.
  - Fails with the names of all other hosts whose facts are missing.
positional: hostvars
options:
  _input:
    description: Endpoints, as made by P(tiered.django.endpoints#filter).
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how many requests the application tier works on at once
  ansible.builtin.debug:
    msg: "{{ topology_app_endpoints | tiered.django.concurrency(hostvars) | sum(attribute='maxconn') }}"
"""

RETURN = r"""
_value:
  description: The endpoints with C(maxconn).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.tiered.django.plugins.module_utils import sizing, wiring

# The default of the role uwsgi.
THREADS = 1


def maxconn(variables):
    """Return how many requests a host works on at once, None when its facts are missing."""
    threads = int(variables.get("uwsgi_threads", THREADS))
    if "uwsgi_processes" in variables:
        return int(variables["uwsgi_processes"]) * threads
    facts = variables.get("ansible_facts") or {}
    if "memtotal_mb" not in facts:
        return None
    shares = sizing.memory_shares(facts["memtotal_mb"], variables["group_names"])
    return sizing.uwsgi_processes(shares["app_servers"], facts.get("processor_vcpus", 1), threads) * threads


def concurrency(endpoints, hostvars):
    """Return the endpoints with maxconn."""
    sizes = {endpoint["name"]: maxconn(hostvars[endpoint["name"]]) for endpoint in endpoints}
    smallest = min((size for size in sizes.values() if size is not None), default=None)
    for name, size in sizes.items():
        if size is None and wiring.is_away(hostvars[name]):
            sizes[name] = smallest
    unknown = [name for name, size in sizes.items() if size is None]
    if unknown:
        raise AnsibleFilterError(
            f"no facts are known of {', '.join(unknown)}: "
            "gather them in this run, or set uwsgi_processes in the inventory"
        )
    return [{**endpoint, "maxconn": sizes[endpoint["name"]]} for endpoint in endpoints]


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"concurrency": concurrency}
