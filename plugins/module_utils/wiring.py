"""Who talks to whom: addresses of tiers and the firewall rules that follow from them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

LOOPBACK = "127.0.0.1"
EVERYONE = "everyone"


class WiringError(ValueError):
    """The inventory does not say what the wiring needs to know."""


def ip_address(text: Any) -> str | None:
    """Return an address in its usual spelling, None when the text is not an IP address.

    :param text: Anything, for example a host name.
    """
    try:
        return str(ipaddress.ip_address(str(text)))
    except ValueError:
        return None


def address_of(variables: Mapping[str, Any]) -> str | None:
    """Find the address at which other hosts reach a host.

    :param variables: The variables of the host, with ``ansible_facts`` when they were gathered.
    :returns: ``private_address``, else ``ansible_host`` when it is an address, else the default address from the
        facts, else None.
    """
    for name in ("private_address", "ansible_host"):
        if address := ip_address(variables.get(name)):
            return address
    facts = variables.get("ansible_facts") or {}
    for family in ("default_ipv4", "default_ipv6"):
        if address := ip_address((facts.get(family) or {}).get("address")):
            return address
    return None


def addresses(hosts: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, str]:
    """Find the addresses of hosts.

    :param hosts: Inventory names.
    :param hostvars: The variables of every host.
    :returns: The address of each host, in the order of ``hosts``.
    :raises WiringError: with all hosts whose address is not known.
    """
    found = {host: address_of(hostvars[host]) for host in hosts}
    unknown = [host for host, address in found.items() if address is None]
    if unknown:
        raise WiringError(
            f"no address is known for {', '.join(unknown)}: set private_address for each of them in the inventory"
        )
    return {host: str(address) for host, address in found.items()}


def is_loopback(servers: Iterable[str], clients: Iterable[str]) -> bool:
    """Tell whether all traffic between servers and clients stays on one host."""
    return len({*servers, *clients}) == 1


def endpoints(
    servers: Iterable[str],
    hostvars: Mapping[str, Any],
    port: int | None = None,
    clients: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Turn hosts into the endpoints at which their clients reach them.

    :param servers: Inventory names of the hosts that serve.
    :param hostvars: The variables of every host.
    :param port: TCP port, left out of the result when None.
    :param clients: Inventory names of the hosts that connect. When servers and clients are one and the same host, its
        address is the loopback address.
    :returns: ``name``, ``address`` and ``port`` of each host, in the order of ``servers``.
    :raises WiringError: with all hosts whose address is not known.
    """
    servers = list(servers)
    if clients is not None and is_loopback(servers, clients):
        found = {servers[0]: LOOPBACK}
    else:
        found = addresses(servers, hostvars)
    last = {} if port is None else {"port": int(port)}
    return [{"name": host, "address": address, **last} for host, address in found.items()]


def certificate_requests(servers: Iterable[Mapping[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """Turn endpoints into requests for their certificates, one for each.

    :param servers: Endpoints.
    :param prefix: What the names of the certificates begin with.
    :returns: ``name``, ``common_name`` and ``alternative_names`` of each certificate.
    """
    return [
        {
            "name": f"{prefix}-{server['name']}",
            "common_name": server["name"],
            "alternative_names": [f"IP:{server['address']}"],
        }
        for server in servers
    ]


def firewall_rules(links: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any], host: str) -> list[dict[str, Any]]:
    """Select the links that end at a host, as the rules that its firewall needs.

    :param links: The links of the topology: ``name``, ``from`` (inventory names, or ``everyone``), ``to`` (inventory
        names), ``ports`` and optionally ``protocol`` (``tcp``).
    :param hostvars: The variables of every host.
    :param host: Inventory name of the host that is protected.
    :returns: ``name``, ``ports``, ``protocol`` and ``sources`` of each rule; no sources stand for everyone. Traffic
        that stays on the host needs no rule.
    :raises WiringError: with all hosts whose address is not known.
    """
    rules = []
    for link in links:
        if host not in link["to"]:
            continue
        rule = {"name": link["name"], "ports": list(link["ports"]), "protocol": link.get("protocol", "tcp")}
        if link["from"] == EVERYONE:
            rules.append({**rule, "sources": []})
            continue
        peers = [peer for peer in link["from"] if peer != host]
        if peers:
            rules.append({**rule, "sources": sorted(set(addresses(peers, hostvars).values()))})
    return rules
