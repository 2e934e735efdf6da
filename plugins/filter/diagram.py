"""Draw the links of a topology."""

from __future__ import annotations

DOCUMENTATION = r"""
name: diagram
short_description: Draw the links of a topology
version_added: 0.1.0
author: tiered.django contributors
description:
  - Returns a picture with the tiers as rows, the hosts as boxes, and arrows with protocol and port between the tiers.
  - A host that several tiers in succession stand on alone is one box around its parts. Any other host appears in each
    of its tiers, marked with the same colour.
  - Hosts that no link reaches are drawn as being in reserve, those that leave or are absent as such.
  - The picture is the same for the same arguments, needs nothing beside itself, and has a text for those who do not see
    it.
positional: hostvars, tiers
options:
  _input:
    description:
      - The links. C(name), C(from) (inventory names, or V(everyone)), C(to) (inventory names), C(ports) and optionally
        C(protocol).
    type: list
    elements: dict
    required: true
  hostvars:
    description: The variable C(hostvars).
    type: dict
    required: true
  tiers:
    description: The hosts of each tier, by the names of the groups.
    type: dict
    required: true
  title:
    description: What is above the picture, for example the name of the site.
    type: str
    default: ""
  domain:
    description: The domain of the site.
    type: str
    default: ""
  floating:
    description: Addresses that one of the balancers holds and another takes over.
    type: list
    elements: str
    default: []
  leaving:
    description: The hosts that leave each tier.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Draw the topology
  ansible.builtin.copy:
    content: "{{ topology_links | tiered.django.diagram(hostvars, {'app_servers': groups['web']}, title='site') }}"
    dest: topology.svg
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The picture as SVG.
  type: str
"""

from ansible_collections.tiered.django.plugins.module_utils.diagram import draw


def diagram(links, hostvars, tiers, title="", domain="", floating=(), leaving=None):
    """Return the picture of the links between tiers."""
    return draw(links, hostvars, tiers, str(title), str(domain), floating, leaving)


class FilterModule:
    """Expose the filter."""

    def filters(self):
        """Return the filter by name."""
        return {"diagram": diagram}
