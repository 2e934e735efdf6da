"""Servers that die, hang, fill up and come back."""

import time

import pytest
from front import at_once, order
from load import Load
from waiting import until

testinfra_hosts = ["balancers"]
pytestmark = pytest.mark.usefixtures("well")


def test_a_killed_server_fails_no_reader(front, servers, haproxy):
    with Load(front.reader, {"/": '"server"', "/page?seconds=0.3": '"server"'}, readers=6, pause=0.01) as load:
        load.wait_for(50)
        order(servers["one"], "/die")
        until(lambda: haproxy.status()["news_app/one"].startswith("DOWN"), 5)
        load.wait_for(50)
        until(lambda: haproxy.status()["news_app/one"] == "UP")
        load.wait_for(50)
    assert load.count > 150
    assert not load.failures, load.report()


def test_a_page_that_was_being_made_is_made_by_another_server(front, servers):
    pages = [lambda: front.ask("/page?seconds=1.5")] * 4
    *answers, _ = at_once(*pages, lambda: (time.sleep(0.7), order(servers["one"], "/die")))
    assert [each.status_code for each in answers] == [200] * 4
    assert {each.request["server"] for each in answers} == {"two"}


def test_a_form_that_may_have_been_processed_is_not_sent_again(front, servers):
    name = f"/order{time.time_ns()}"

    def forms_at(server):
        return [path for path in order(servers[server], "/log") if path.startswith(name)]

    def die_while_all_are_processed():
        until(lambda: len(forms_at("one") + forms_at("two")) == 4, 2.5)
        order(servers["one"], "/die")

    forms = [lambda n=n: front.ask(f"{name}-{n}?seconds=3", method="POST", body=b"x=1") for n in range(4)]
    *answers, _ = at_once(*forms, die_while_all_are_processed)
    assert sorted(each.status_code for each in answers) == [200, 200, 502, 502]
    done = sorted(each.request["path"] for each in answers if each.status_code == 200)
    assert sorted(forms_at("two")) == done


def test_a_form_for_a_server_that_is_gone_goes_to_another(front, servers, haproxy):
    order(servers["one"], "/die")
    answers = [front.ask("/form", method="POST", body=b"x=1") for _ in range(6)]
    assert {each.status_code for each in answers} == {200}
    assert {each.request["server"] for each in answers} == {"two"}


def test_a_server_that_is_not_ready_gets_nothing_until_it_is(front, servers, haproxy):
    def both_are(status):
        now = haproxy.status()
        return all(now[f"news_{tier}/one"].startswith(status) for tier in ("app", "media"))

    order(servers["one"], "/unready")
    until(lambda: both_are("DOWN"), 6)
    assert {front.ask("/").request["server"] for _ in range(6)} == {"two"}
    assert {front.ask("/static/x").request["server"] for _ in range(6)} == {"two"}
    order(servers["one"], "/ready")
    until(lambda: both_are("UP"), 8)
    assert {front.ask("/").request["server"] for _ in range(6)} == {"one", "two"}


def test_a_server_is_never_given_more_than_it_can_do_and_the_rest_waits_or_is_told(front):
    """There is room for 2 x 4 requests; waiting ends after a second."""
    quick = at_once(*[lambda: front.ask("/quick?seconds=0.4")] * 12)
    assert [each.status_code for each in quick] == [200] * 12
    begun = time.monotonic()
    slow = at_once(*[lambda: front.ask("/slow?seconds=2")] * 12)
    assert sorted(each.status_code for each in slow) == [200] * 8 + [503] * 4
    assert time.monotonic() - begun < 5
