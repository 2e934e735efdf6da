"""What further runs of the role do, and what they leave alone. Each test begins with what the one before left."""

import json
import os
import re
import subprocess
from pathlib import Path

import database
import pytest
import testinfra

testinfra_hosts = ["db"]

CONVERGE = Path(__file__).parents[1] / "converge.yml"
CONFIGURATION = "/etc/postgresql/17/main/conf.d/tiered.conf"


@pytest.fixture(scope="module")
def client():
    """Reach the client as the host fixture reaches the server."""
    return testinfra.get_host(f"podman://tiered-{os.environ['LAB_NAME']}-client")


def run(*options, succeeds=True, **variables):
    """Run the role again on one server, with other variables, and return what was shown."""
    done = subprocess.run(
        ["ansible-playbook", "--limit=db", f"--extra-vars={json.dumps(variables)}", *options, str(CONVERGE)],
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == succeeds, done.stdout
    return done.stdout


def started(host):
    """Return when the server was started."""
    return database.administer(host, "SELECT pg_postmaster_start_time()")


def test_a_changed_password_is_set_and_never_shown(host, client, inventory):
    before = started(host)
    shown = run("-vvv", "--diff", lab_password="another-Pw9")
    address = inventory["ansible_host"]
    assert database.query(client, address, "shop", "SELECT 1", password="another-Pw9").stdout == "1\n"
    assert "password authentication failed" in database.query(client, address, "shop", "SELECT 1").stderr
    assert started(host) == before

    secrets = [*database.PASSWORDS.values(), "another-Pw9", "BEGIN PRIVATE KEY", "SCRAM-SHA-256$4096"]
    assert [secret for secret in secrets if secret in shown] == []
    logs = host.check_output("journalctl --no-pager --output=cat; cat /var/log/postgresql/*.log")
    assert "ansible" in logs
    assert [secret for secret in secrets if secret in logs] == []


def test_what_needs_a_restart_is_reported_and_waits_for_permission(host):
    before = started(host)
    settings = {"shared_buffers": "48MB", "work_mem": "7MB"}
    shown = run(lab_settings=settings)
    assert "shared_buffers is 64MB and will be 48MB after a restart" in shown
    assert "work_mem is" not in shown
    assert database.administer(host, "SHOW work_mem") == "7MB"
    assert started(host) == before

    run(lab_settings=settings, postgres_allow_restart=True)
    assert database.administer(host, "SHOW shared_buffers") == "48MB"
    restarted = started(host)
    assert restarted != before

    assert "changed=0" in run(lab_settings=settings, postgres_allow_restart=True)
    assert started(host) == restarted


def test_a_port_that_waits_for_a_restart_fails_with_the_remedy(host):
    before = started(host)
    shown = run(postgres_port=5433, succeeds=False)
    assert "port is 5432 and will be 5433 after a restart" in shown
    assert "postgres_allow_restart=true" in shown
    assert started(host) == before


def test_an_unknown_setting_never_reaches_the_server(host):
    before = host.file(CONFIGURATION).content
    shown = run(lab_settings={"shared_bufers": "48MB"}, succeeds=False)
    assert re.search(r'unrecognized configuration parameter \\*"shared_bufers', shown)
    assert host.file(CONFIGURATION).content == before


def test_a_client_that_the_server_cannot_read_is_named(client, inventory):
    shown = run(postgres_clients=[{"name": "typo", "address": "10.89.101.300"}], succeeds=False)
    assert re.search(r"/etc/postgresql/17/main/pg_hba.conf line \d+: .*10\.89\.101\.300", shown)
    # The rules from before are still in force.
    assert database.query(client, inventory["ansible_host"], "shop", "SELECT 1").rc == 0


def test_what_was_changed_by_hand_is_put_right(host):
    host.check_output("echo \"work_mem = '9MB'\" >> %s && systemctl reload postgresql@17-main", CONFIGURATION)
    database.administer(host, "REVOKE CONNECT ON DATABASE shop FROM shop")
    database.administer(host, "GRANT shop_owner TO shop")
    database.administer(host, "ALTER ROLE shop CREATEDB")
    run(postgres_allow_restart=True)
    assert database.administer(host, "SHOW work_mem") != "9MB"
    sql = (
        "SELECT has_database_privilege(rolname, 'shop', 'CONNECT'), pg_has_role(rolname, 'shop_owner', 'MEMBER'),"
        " rolcreatedb FROM pg_roles WHERE rolname = 'shop'"
    )
    assert database.administer(host, sql) == "t|f|f"


def test_a_lost_reload_is_made_up_for(host):
    host.check_output("touch %s", CONFIGURATION)
    before = database.administer(host, "SELECT pg_conf_load_time()")
    run()
    assert database.administer(host, "SELECT pg_conf_load_time()") > before


def test_a_setting_that_another_file_overrides_is_reported(host):
    database.administer(host, "ALTER SYSTEM SET work_mem = '3MB'")
    try:
        shown = run()
    finally:
        database.administer(host, "ALTER SYSTEM RESET work_mem")
    assert "work_mem is 3MB, as in /var/lib/postgresql/17/main/postgresql.auto.conf" in shown


def test_the_databases_of_another_version_are_not_left_behind(host):
    shown = run(postgres_version=18, succeeds=False)
    assert "17/main on port 5432" in shown
    assert "pg_upgradecluster" in shown
    assert len(host.check_output("pg_lsclusters --no-header").splitlines()) == 1
