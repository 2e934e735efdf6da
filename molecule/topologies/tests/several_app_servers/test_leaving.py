"""What must not happen while something is wrong."""

from play import play


def test_nobody_stops_serving_when_those_who_stay_have_failed(site, reader):
    (balancer,) = site.groups["balancers"]
    _, leaver = site.groups["app_servers"]
    # A mistake that only the role itself can notice.
    marks = {leaver: {"topology_leaving": True}, balancer: {"haproxy_maxconn": "many"}}
    run = play("site", marks=marks)
    assert run.code != 0
    assert f"No host has stopped serving: {balancer} failed above." in run.text, run.trouble
    assert site.host(leaver).service("newsroom.service").is_running

    mended = play("site")
    assert mended.code == 0, mended.trouble
    site.from_each_server(lambda: reader.get("/search/"), seconds=30)
