"""Losing an application server is nothing that a reader notices."""

import secrets

import pytest
from load import Load
from waiting import until

PAGES = {
    "/": "The Prairie Courier",
    "/search/?q=bridge": "The old river bridge stays open",
    "/city/the-old-river-bridge-stays-open-for-the-winter/": "the bakery",
}


@pytest.fixture
def victim(site, reader):
    """Return an application server that is well before the test and must be well after it."""
    victim = site.groups["app_servers"][-1]
    site.from_each_server(lambda: reader.get("/search/"), seconds=30)
    yield victim
    site.start(victim)
    until(lambda: reader.get("/search/").headers.get("X-Served-By") == victim, 90, f"{victim} serves again")


def serves_again(load, server, seconds):
    """Wait until one more answer comes from that server."""
    before = load.served_by[server]
    until(lambda: load.served_by[server] > before, seconds, f"{server} serves again")


def test_killing_a_server_fails_no_request(site, victim):
    with Load(site.reader, PAGES) as load:
        load.wait_for(40)
        site.kill(victim)
        load.wait_for(100)
        gone = load.served_by[victim]
        load.wait_for(40)
        assert load.served_by[victim] == gone
        site.start(victim)
        serves_again(load, victim, 90)
        load.wait_for(40)
    assert not load.failures, load.report()


def test_a_server_comes_back_with_its_uploads(site, editor, reader, victim):
    site.kill(victim)
    until(lambda: reader.get("/search/").ok, 30, "the others serve")
    site.start(victim)
    until(lambda: reader.get("/search/").headers.get("X-Served-By") == victim, 90, f"{victim} serves again")
    for _ in range(20):
        article = editor.publish(f"Back {secrets.token_hex(4)}")
        assert reader.photograph(article.path).content == article.photograph
        if article.taken_by == victim:
            break
        # One more request, or the servers taking turns would give the same one every upload.
        reader.get("/search/")
    assert article.taken_by == victim


def test_stopping_and_starting_the_service_fails_no_request(site, victim):
    units = f"{site.name}.socket {site.name}.service"
    with Load(site.reader, PAGES) as load:
        load.wait_for(40)
        site.host(victim).check_output(f"systemctl stop {units}")
        load.wait_for(100)
        site.host(victim).check_output(f"systemctl start {units}")
        serves_again(load, victim, 60)
    assert not load.failures, load.report()


def test_restarting_the_service_fails_no_request(site, victim):
    # Who comes while the new processes start waits for them.
    with Load(site.reader, PAGES, timeout=60) as load:
        load.wait_for(40)
        site.host(victim).check_output(f"systemctl restart {site.name}.service")
        load.wait_for(60)
        serves_again(load, victim, 60)
    assert not load.failures, load.report()
