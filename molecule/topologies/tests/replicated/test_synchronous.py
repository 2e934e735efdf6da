"""With synchronous replication, what was acknowledged is on two servers."""

import time

import pytest
from conftest import PSQL
from play import play


@pytest.fixture
def synchronous():
    """Every write waits for a replica; at the end none does any more."""
    run = play("site", "--extra-vars", "postgres_synchronous=true")
    assert run.code == 0, run.trouble
    yield
    run = play("site")
    assert run.code == 0, run.trouble


def test_a_write_waits_for_one_replica_and_no_more(servers, site, network, synchronous):
    primary, (first, second) = servers.primary, servers.replicas

    def write():
        """Return 0 when the write is acknowledged within seconds, and 124 when it is not."""
        sql = f"INSERT INTO articles_reporter (name, title) VALUES ('waits {time.time_ns()}', 'Counter')"
        return site.host(primary).run(f"timeout 5 sh -c %s sh {site.name} %s", f'{PSQL} "$@"', f"--command={sql}").rc

    assert servers.ask(primary, "SELECT string_agg(sync_state, ' ') FROM pg_stat_replication") == "quorum quorum"
    assert write() == 0
    network.cut(primary, first)
    assert write() == 0
    network.cut(primary, second)
    assert write() == 124
    network.mend()
    servers.wait_until_all_follow()
    assert write() == 0
