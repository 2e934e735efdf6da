"""What Debian's programs say of a cluster is understood."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.tiered.django.plugins.module_utils import postgres

LISTING = """\
15 main 5433 down             postgres /var/lib/postgresql/15/main /var/log/postgresql/postgresql-15-main.log
17 main 5432 online,recovery  postgres /var/lib/postgresql/17/main /var/log/postgresql/postgresql-17-main.log
17 other 5434 online          postgres /srv/other                  /var/log/postgresql/postgresql-17-other.log
"""
CONTROL = """\
pg_control version number:            1700
Database system identifier:           7577123456789012345
Database cluster state:               in archive recovery
Latest checkpoint location:           1A/2B000028
Latest checkpoint's TimeLineID:       3
Minimum recovery ending location:     1A/2B0000A0
Min recovery ending loc's timeline:   4
"""


def test_the_newest_cluster_of_the_name_is_found():
    assert postgres.listed(LISTING, "main", 0) == (17, "online,recovery", Path("/var/lib/postgresql/17/main"))


def test_a_version_picks_the_cluster():
    assert postgres.listed(LISTING, "main", 15) == (15, "down", Path("/var/lib/postgresql/15/main"))


def test_another_name_is_another_cluster():
    assert postgres.listed(LISTING, "nothing", 0) is None


def test_the_control_file_tells_identity_timeline_and_position():
    assert postgres.control_data(CONTROL) == {
        "system_identifier": "7577123456789012345",
        "timeline": 4,
        "position": (0x1A << 32) + 0x2B000028,
    }
