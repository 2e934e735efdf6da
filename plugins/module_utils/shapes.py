"""The five topologies of the Django Book, as shapes that an inventory has or has not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .wiring import TIERS

Tiers = Mapping[str, Sequence[str]]
Rule = tuple[Callable[[Tiers], bool], str]


def _together(*names: str) -> Rule:
    listed = ", ".join(names[:-1]) + " and " + names[-1]
    return (
        lambda tiers: all(set(tiers[name]) == set(tiers[names[0]]) for name in names),
        f"{listed} are not the same hosts",
    )


def _apart(one: str, other: str) -> Rule:
    return lambda tiers: not set(tiers[one]) & set(tiers[other]), f"a host stands in both {one} and {other}"


def _one(name: str) -> Rule:
    return lambda tiers: len(tiers[name]) == 1, f"{name} has not exactly one host"


def _several(name: str) -> Rule:
    return lambda tiers: len(tiers[name]) > 1, f"{name} has fewer than two hosts"


SHAPES: dict[str, list[Rule]] = {
    "single_server": [_one("app_servers"), _together(*TIERS)],
    "n_tier": [
        _one("app_servers"),
        _together("balancers", "app_servers", "media_servers"),
        _apart("database_servers", "app_servers"),
    ],
    "separated_media": [
        _one("app_servers"),
        _apart("media_servers", "app_servers"),
        _apart("database_servers", "app_servers"),
        _apart("media_servers", "database_servers"),
    ],
    "load_balanced": [
        _several("app_servers"),
        _apart("balancers", "app_servers"),
        _apart("media_servers", "app_servers"),
        _apart("database_servers", "app_servers"),
    ],
    "big_cluster": [
        *(_several(tier) for tier in TIERS),
        *(_apart(one, other) for number, one in enumerate(TIERS) for other in TIERS[number + 1 :]),
    ],
}


def differences(tiers: Tiers, shape: str) -> list[str]:
    """Tell in what an inventory differs from a topology.

    :param tiers: The inventory names of each tier's hosts.
    :param shape: Name of the topology.
    :returns: A clause for each difference, none when the inventory has the shape.
    :raises KeyError: when there is no such topology.
    """
    return [clause for holds, clause in SHAPES[shape] if not holds(tiers)]
