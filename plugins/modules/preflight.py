"""Documentation of the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check the inventory and every variable before any host is touched
version_added: 0.1.0
author: tiered.django contributors
description:
  - Finds everything that can be known to be wrong from the inventory and the variables alone, such as empty tiers,
    hosts without an address, variables that are missing, misspelt or contradict each other, a source that cannot be
    read, a certificate that does not cover the domain.
  - Reports all of it at once, each problem with its remedy.
  - Runs on the controller only and contacts no host. It reads files there, and asks git for the references of a
    repository.
  - In a play that lists the roles C(site) and C(topology) it needs no options. Run it in C(pre_tasks), before the
    roles validate their arguments.
options:
  site:
    description:
      - The C(site_*) variables by their full names.
      - Left out, all C(site_*) variables that the first host of the tiers sees, each resolved by itself so that an
        undefined reference is reported too. Secrets that a C(password) lookup generates are not looked at, and so not
        made.
    type: dict
  tiers:
    description:
      - The hosts of each tier, by the names of the groups.
      - Left out, C(topology_balancers) and so on, or else the groups themselves.
    type: dict
  ports:
    description:
      - The TCP ports of V(app), V(media), V(cache) and V(database).
      - Left out, C(topology_app_port) and so on.
    type: dict
attributes:
  check_mode:
    description: It changes nothing anyway.
    support: full
  diff_mode:
    description: It changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Check before any host is touched
  hosts: all
  gather_facts: false
  roles:
    - tiered.django.site
    - tiered.django.topology
  pre_tasks:
    - name: Check the inventory and every variable
      tiered.django.preflight:
      run_once: true
"""

RETURN = r"""
problems:
  description: What was found.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: The variable, host or group to change.
      type: str
      sample: site_domain
    problem:
      description: What is wrong with it.
      type: str
      sample: "'https://example.org' is not a plain domain name"
    remedy:
      description: What to do.
      type: str
      sample: Write the name alone, without scheme and path.
"""
