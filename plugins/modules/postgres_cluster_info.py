"""Tell what a PostgreSQL cluster on this host is: primary or standby, on which timeline, followed by whom."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_cluster_info
short_description: Tell whether a PostgreSQL cluster is a primary or a standby
version_added: 0.1.0
author: tiered.django contributors
description:
  - Reads what the cluster of a host is from the running server and, where it does not run, from its data directory.
  - M(community.postgresql.postgresql_info) needs a running server; after a failure the one that does not run matters.
options:
  cluster:
    description: Name of the cluster, as C(pg_lsclusters) shows it.
    type: str
    default: main
  version:
    description: Its major version; 0 stands for the newest one that has a cluster of this name.
    type: int
    default: 0
attributes:
  check_mode:
    description: Can run in check mode, for it only reads.
    support: full
"""

EXAMPLES = r"""
- name: Read what the cluster is
  tiered.django.postgres_cluster_info:
  register: found

- name: Show the primary
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} is the primary"
  when: found.cluster.running and not found.cluster.in_recovery
"""

RETURN = r"""
cluster:
  description: What the cluster is.
  returned: always
  type: dict
  contains:
    present:
      description: Whether the host has such a cluster.
      type: bool
    name:
      description: Its name.
      type: str
    version:
      description: Its major version, 0 when there is none.
      type: int
    data:
      description: Its data directory.
      type: str
    running:
      description: Whether the server runs.
      type: bool
    standby:
      description: Whether its data directory says that it follows another server.
      type: bool
    in_recovery:
      description: Whether the running server follows another one; none when it does not run or does not answer.
      type: bool
    system_identifier:
      description: What a primary and its replicas have in common.
      type: str
    timeline:
      description: How often the data had a new primary, plus one.
      type: int
    position:
      description: Up to which byte of the write-ahead log the cluster has it.
      type: int
    streaming:
      description: Whether a standby receives the log from its primary right now.
      type: bool
    replicas:
      description: Who receives the log from here; name, state, whether synchronous and the bytes that it lags behind.
      type: list
      elements: dict
    slots:
      description: Physical replication slots; name, whether in use, state, and how many bytes of log they hold back.
      type: list
      elements: dict
    longest_transaction:
      description: Since how many seconds the oldest open transaction lasts.
      type: int
    message:
      description: Why the server could not be asked, empty when it was.
      type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tiered.django.plugins.module_utils import postgres


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"cluster": {"type": "str", "default": "main"}, "version": {"type": "int", "default": 0}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(cluster=postgres.look(module.params["cluster"], module.params["version"]))
    except OSError as error:
        module.fail_json(msg=f"The cluster {module.params['cluster']} cannot be looked at: {error}")


if __name__ == "__main__":
    main()
