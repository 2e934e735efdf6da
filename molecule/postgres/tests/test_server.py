"""The cluster, seen by its administrator."""

import database
import pytest

testinfra_hosts = ["database_servers"]


def test_passwords_are_kept_as_scram_verifiers(host):
    sql = "SELECT rolname FROM pg_authid WHERE rolpassword LIKE 'SCRAM-SHA-256$%' ORDER BY rolname"
    assert database.administer(host, sql).split() == sorted(database.PASSWORDS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("shared_buffers", "64MB"),
        ("effective_cache_size", "192MB"),
        ("max_connections", "30"),
    ],
)
def test_the_first_start_has_the_settings(host, setting, value):
    assert database.administer(host, f"SHOW {setting}") == value
    assert database.administer(host, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"


def test_it_listens_where_its_clients_are(host, inventory):
    listening = host.check_output("ss --listening --tcp --numeric --no-header 'sport = :5432'")
    assert [line.split()[3] for line in listening.splitlines()] == [f"{inventory['ansible_host']}:5432"]


def test_it_starts_with_the_system(host):
    assert host.service("postgresql").is_enabled
    host.check_output("systemctl stop postgresql && systemctl start postgresql")
    assert database.administer(host, "SELECT 1") == "1"


def test_there_is_one_cluster(host):
    assert len(host.check_output("pg_lsclusters --no-header").splitlines()) == 1
