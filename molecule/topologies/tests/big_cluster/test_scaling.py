"""Hosts of every tier leave and come, and nobody who reads or writes notices."""

import threading

import pytest
from load import Load
from play import play
from site_client import eventually

PAGES = {
    "/": "The Prairie Courier",
    "/search/?q=bridge": "The old river bridge stays open",
    "/city/the-old-river-bridge-stays-open-for-the-winter/": "the bakery",
}
# Tier, the host of it that goes, and everybody who must know.
TIERS = {
    "app_servers": ("app3", {"app3", "balancer1", "balancer2", "media1", "media2", "cache1", "cache2", "db1"}),
    "cache_servers": ("cache2", {"cache2", "app1", "app2", "app3"}),
    "media_servers": ("media2", {"media2", "media1", "balancer1", "balancer2", "app1", "app2", "app3"}),
    "balancers": ("balancer2", {"balancer2", "balancer1", "app1", "app2", "app3", "media1", "media2"}),
    "database_servers": ("db3", set()),
}


class Editor(threading.Thread):
    """Hand in articles with photographs, one after another, until told to stop."""

    def __init__(self, editor, most=300):
        super().__init__(daemon=True)
        self.articles, self.failure = [], None
        self._editor, self._most, self._over = editor, most, threading.Event()

    def __enter__(self):
        self.start()
        eventually(lambda: self.articles or self.failure, 30, "a first article is handed in")
        return self

    def __exit__(self, *_exception):
        self._over.set()
        self.join(30)

    def run(self):
        while not self._over.wait(0.2) and len(self.articles) < self._most:
            try:
                self.articles.append(self._editor.publish(f"During the move {len(self.articles)} {id(self)}"))
            except Exception as failure:
                self.failure = failure
                return


def converge_under_load(site, editor, reader, marks):
    """Run site.yml while the site is read and written; return the run."""
    with Load(site.reader, PAGES, most_seconds=400) as load, Editor(editor) as writer:
        load.wait_for(20)
        run = play("site", marks=marks)
        load.wait_for(20)
    assert run.code == 0, run.output[-6000:]
    assert not load.failures, load.report()
    assert writer.failure is None, writer.failure
    for article in writer.articles:
        assert reader.photograph(article.path).content == article.photograph
    return run


@pytest.mark.parametrize("tier", TIERS)
def test_a_host_leaves_its_tier_and_a_new_one_takes_its_place(site, editor, reader, tier):
    host, concerned = TIERS[tier]
    leaving = {host: {"topology_leaving": True}}
    run = converge_under_load(site, editor, reader, leaving)
    assert run.changed == concerned, run.output[-6000:]
    again = play("site", marks=leaving)
    assert (again.code, again.changed) == (0, set()), again.output[-6000:]

    # The place is taken by a machine that has nothing on it.
    site.replace(host)
    run = converge_under_load(site, editor, reader, {})
    assert run.changed == concerned | {host}, run.output[-6000:]
    assert (again := play("site")).changed == set(), again.output[-6000:]
