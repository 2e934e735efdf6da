"""Several application servers are one site."""

import re
import secrets

import pytest
from site_client import reachable, reachable_from
from waiting import until


def test_requests_go_to_every_server_in_turn(site, reader):
    servers = site.groups["app_servers"]

    def in_turn():
        seen = [reader.get("/search/").headers["X-Served-By"] for _ in range(6 * len(servers))]
        return {server: seen.count(server) for server in servers} == dict.fromkeys(servers, 6)

    # A server that has just come back gets its full share by and by.
    until(in_turn, 60, "every server gets the same share of the requests")


def test_article_taken_by_one_server_is_seen_from_the_others(site, editor, reader):
    articles = {}
    for _ in range(10 * len(site.groups["app_servers"])):
        article = editor.publish(f"Shared {secrets.token_hex(4)}")
        if article.taken_by in articles:
            # One more request, or the servers taking turns would give the same one every upload.
            reader.get("/search/")
        articles.setdefault(article.taken_by, article)
        if len(articles) == len(site.groups["app_servers"]):
            break
    assert set(articles) == set(site.groups["app_servers"])
    for article in articles.values():
        pages = site.from_each_server(lambda path=article.path: reader.get(path))
        for page in pages.values():
            assert article.headline in page.text
            photograph = re.search(r'<img src="([^"]*/media/[^"]+)"', page.text)[1]
            assert reader.get(photograph).content == article.photograph


def test_session_lives_on_every_server(site, editor):
    desks = site.from_each_server(lambda: editor.get("/admin/", allow_redirects=False))
    for desk in desks.values():
        assert desk.ok
        assert site.credentials[0] in desk.text


@pytest.mark.parametrize(("port", "tier"), [(5432, "database_servers"), (11211, "cache_servers")])
def test_only_app_servers_reach_the_data(site, port, tier):
    # Database servers copy from each other.
    clients = {*site.groups["app_servers"], *(site.groups[tier] if tier == "database_servers" else ())}
    for name in site.groups[tier]:
        address = site.hosts[name]["private_address"]
        for other in set(site.hosts) - {name}:
            assert reachable_from(site.host(other), address, port) == (other in clients), other
        assert not reachable(address, port)


def test_only_balancers_reach_the_applications(site):
    for name in site.groups["app_servers"]:
        address = site.hosts[name]["private_address"]
        for other in set(site.hosts) - {name}:
            assert reachable_from(site.host(other), address, 8001) == (other in site.groups["balancers"]), other
