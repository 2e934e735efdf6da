"""Servers are lost, and come back without harm."""

import time

import pytest
from conftest import DATA, UNIT
from play import play
from waiting import until


def test_a_lost_primary_is_replaced_and_comes_back_as_a_replica(servers, site, network, rows):
    lost, (first, second) = servers.primary, servers.replicas
    marks = {lost: {"topology_absent": True}}
    with rows:
        rows.wait_for(20)
    # One row that the primary takes and never passes on.
    network.cut(lost, first, second)
    alone = f"never passed on {time.time_ns()}"
    servers.ask(lost, f"INSERT INTO articles_reporter (name, title) VALUES ('{alone}', 'Counter')", site.name)
    site.kill(lost)

    run = play("site")
    assert run.code != 0
    assert f"Nothing was changed: {lost} cannot be reached" in run.text
    run = play("site", marks=marks)
    assert run.code != 0
    assert "Nothing was changed. There is no primary" in run.text
    assert run.changed == set()
    # The one with more of the data is named in the remedy.
    new = run.text.partition("switchover_to=")[2].split()[0]
    assert new in (first, second)

    arguments = f"switchover_to={new} switchover_primary_lost=true"
    run = play("switchover", "--extra-vars", arguments, marks=marks)
    assert run.code == 0, run.trouble
    assert servers.primary == new
    until(lambda: servers.following() == {first, second} - {new}, 60, "the other replica follows")
    assert set(rows.acknowledged) <= servers.rows()

    # Its machine comes back, with all services that start by themselves.
    site.start(lost)
    servers.wait_until_up(lost)
    assert not site.host(lost).service(UNIT).is_running
    assert "Bring this host back as its replica" in site.host(lost).check_output(f"journalctl -b -u {UNIT}")
    run = play("site")
    assert (run.code, run.changed) == (0, set()), run.trouble
    assert f"{lost} was the primary until timeline" in run.text
    assert servers.primary == new

    run = play("rejoin", "--extra-vars", f"rejoin_host={lost}")
    assert run.code == 0, run.trouble
    servers.wait_until_all_follow()
    assert servers.rows(lost) == servers.rows()
    assert alone not in servers.rows()
    kept = site.host(lost).check_output(f"ls -d {DATA}.diverged-*").split()[-1]
    assert site.host(lost).check_output(f"ls {kept}")
    run = play("site")
    assert (run.code, run.changed) == (0, set()), run.trouble


def test_two_primaries_are_named_and_nothing_is_changed(servers, site):
    primary, other = servers.primary, servers.replicas[0]
    servers.ask(other, "SELECT pg_promote(true, 30)")
    run = play("site")
    assert run.code != 0
    assert "are primaries, each of which takes writes" in run.text
    assert primary in run.text.partition("are primaries")[0]
    assert other in run.text.partition("are primaries")[0]
    assert run.changed == set()

    run = play("rejoin", "--extra-vars", f"rejoin_host={other}")
    assert run.code == 0, run.trouble
    assert servers.primary == primary
    servers.wait_until_all_follow()


def test_a_replica_that_is_away_for_long_fills_no_disk(servers, site, network):
    away, primary = servers.replicas[-1], servers.primary
    network.cut(primary, away)
    servers.ask(primary, "CREATE TABLE filling AS SELECT repeat('x', 1000) FROM generate_series(1, 250000)")
    # The first gives the slot up, the second what was kept for it.
    for _ in range(2):
        servers.ask(primary, "CHECKPOINT")
    slot = f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'tiered_{away}'"
    until(lambda: servers.ask(primary, slot) == "lost", 30, "the slot is given up")
    held = int(servers.ask(primary, "SELECT sum(size) / 2 ^ 20 FROM pg_ls_waldir()").partition(".")[0])
    # 64 for the slot, 128 that are used again, and the segment that is being written.
    assert held <= 208
    network.mend()
    run = play("site")
    assert (run.code, run.changed) == (0, set()), run.trouble
    assert f"rejoin_host={away} -e rejoin_replace=true" in run.text

    run = play("rejoin", "--extra-vars", f"rejoin_host={away} rejoin_replace=true")
    assert run.code == 0, run.trouble
    assert "has copied" in run.text
    servers.wait_until_all_follow()
    servers.ask(primary, "DROP TABLE filling")
    assert site.host(away).check_output(f"ls -d {DATA}.before-*")
    run = play("site")
    assert (run.code, run.changed) == (0, set()), run.trouble


@pytest.mark.parametrize("name", ["", "web1"])
def test_only_a_database_server_rejoins(servers, name):
    run = play("rejoin", "--extra-vars", f"rejoin_host={name}")
    assert run.code != 0
    assert "Name the database server" in run.text


def test_the_primary_rejoins_nobody(servers):
    primary = servers.primary
    run = play("rejoin", "--extra-vars", f"rejoin_host={primary} rejoin_replace=true")
    assert run.code != 0
    assert f"{primary} is the primary itself" in run.text
    assert servers.primary == primary
