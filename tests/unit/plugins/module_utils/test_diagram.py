"""What a picture of a topology shows."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from ansible_collections.tiered.django.plugins.module_utils.diagram import (
    Arrow,
    Picture,
    _assign_lanes,
    draw,
    label_of,
    plan,
    shorten,
    text_width,
    towers_of,
)

GLUSTER = "GlusterFS 24007, 49152\N{EN DASH}49251"
SVG = "{http://www.w3.org/2000/svg}"
TIERS = ["balancers", "app_servers", "media_servers", "cache_servers", "database_servers"]


def link(name, origin, goal, *ports, **more):
    return {"name": name, "from": origin, "to": goal, "ports": list(ports), **more}


def wire(balancers, apps, media, caches, databases, protected=False):
    """Return tiers and links as the role topology makes them."""
    return dict(zip(TIERS, (balancers, apps, media, caches, databases), strict=True)), [
        link("web", "everyone", balancers, 80, 443),
        link("peers", balancers, balancers, 10001),
        link("application", balancers + (media if protected else []), apps, 8001),
        link("media", balancers, media, 8080),
        link("cache", apps, caches, 11211),
        link("database", apps, databases[:1], 5432),
        link("storage", list(dict.fromkeys(apps + media)), media, "24007", "49152-49251"),
    ]


SINGLE = wire(["www"], ["www"], ["www"], ["www"], ["www"])
BIG = wire(["lb1", "lb2"], ["app1", "app2", "app3"], ["m1", "m2"], ["c1", "c2"], ["db1", "db2", "db3"])


def hostvars(tiers, **more):
    names = dict.fromkeys(host for hosts in tiers.values() for host in hosts)
    known = {name: {"private_address": f"10.0.0.{number}"} for number, name in enumerate([*names, *more], 1)}
    return {name: {**variables, **more.get(name, {})} for name, variables in known.items()}


def arrows(drawn):
    keys = [row.key for row in drawn.rows]
    return {(keys[arrow.source], keys[arrow.target]): arrow.text for arrow in drawn.arrows}


def texts(picture):
    return [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


@pytest.mark.parametrize(("tiers", "links"), [SINGLE, BIG], ids=["single", "big"])
def test_every_link_is_an_arrow_with_protocol_and_port(tiers, links):
    assert arrows(plan(links, hostvars(tiers), tiers)) == {
        ("world", "balancers"): "https 443, http 80",
        ("balancers", "app_servers"): "http 8001",
        ("balancers", "media_servers"): "http 8080",
        ("app_servers", "media_servers"): GLUSTER,
        ("app_servers", "cache_servers"): "memcached 11211",
        ("app_servers", "database_servers"): "postgres 5432",
    }


def test_protected_files_lead_from_media_to_application_servers():
    tiers, links = wire(["lb"], ["app"], ["media"], ["data"], ["data"], protected=True)
    assert arrows(plan(links, hostvars(tiers), tiers))["media_servers", "app_servers"] == "http 8001"


def test_files_may_be_served_to_everybody_directly():
    tiers, links = wire(["www"], ["www"], ["www"], ["www"], ["www"])
    drawn = plan([*links, link("files", "everyone", ["www"], 80, 443)], hostvars(tiers), tiers)
    assert arrows(drawn)["world", "media_servers"] == "https 443, http 80"


def test_what_hosts_of_one_tier_say_to_each_other_is_a_note_and_a_single_one_says_nothing():
    tiers, links = BIG
    notes = {row.key: row.among for row in plan(links, hostvars(tiers), tiers).rows}
    assert notes["balancers"] == ["peers 10001"]
    assert notes["media_servers"] == [GLUSTER]
    tiers, links = wire(["lb"], ["app1", "app2"], ["data"], ["data"], ["data"])
    assert [row.among for row in plan(links, hostvars(tiers), tiers).rows if row.among] == []


def test_hosts_that_no_link_reaches_are_in_reserve():
    tiers, links = BIG
    database = plan(links, hostvars(tiers), tiers).rows[-1]
    assert [(host.name, host.remark) for host in database.hosts] == [
        ("db1", ""),
        ("db2", "in reserve"),
        ("db3", "in reserve"),
    ]


def test_hosts_that_are_absent_or_leave_are_marked():
    tiers, links = BIG
    known = hostvars(tiers, app2={"topology_absent": True}, app8={"topology_leaving": True}, app9={})
    known["app9"]["topology_leaving"] = "gone"
    drawn = plan(links, known, tiers, {"app_servers": ["app8", "app9"]})
    remarks = {host.name: host.remark for row in drawn.rows for host in row.hosts}
    assert {name: remarks[name] for name in ("app1", "app2", "app8", "app9")} == {
        "app1": "",
        "app2": "absent",
        "app8": "leaving",
        "app9": "gone",
    }


def test_links_of_ones_own_are_drawn_with_hosts_that_stand_in_no_tier():
    tiers, links = BIG
    extra = [
        link("metrics", ["mon"], tiers["balancers"], 8404),
        link("logs", tiers["app_servers"], ["mon"], 514, protocol="udp"),
    ]
    drawn = arrows(plan(links + extra, hostvars(tiers, mon={}), tiers))
    assert drawn["others", "balancers"] == "metrics 8404"
    assert drawn["app_servers", "others"] == "logs udp 514"


def test_a_host_alone_in_tiers_that_follow_each_other_is_one_box_around_its_parts():
    tiers, links = SINGLE
    drawn = plan(links, hostvars(tiers), tiers)
    assert towers_of(drawn.rows) == [(1, 5)]
    shown = texts(draw(links, hostvars(tiers), tiers, "newsroom", "news.example"))
    assert shown.count("www") == 1
    assert shown.count("PostgreSQL") == 2  # of the tier, and the part
    tiers, links = wire(["lb"], ["app1", "app2"], ["data"], ["data"], ["data"])
    assert towers_of(plan(links, hostvars(tiers), tiers).rows) == [(3, 5)]


def test_any_other_host_in_several_tiers_has_one_colour_in_all_of_them():
    tiers, links = wire(["lb"], ["a1", "a2"], ["media"], ["a1", "a2"], ["db"])
    picture = Picture(plan(links, hostvars(tiers), tiers), "newsroom", "news.example")
    assert list(picture.accents) == ["a1", "a2"]
    drawn = picture.svg()
    assert [drawn.count(f'fill="{colour}"') for colour in picture.accents.values()] == [2, 2]
    assert texts(drawn).count("a1") == 2


def _segments(picture):
    """Return the straight pieces of all arrows, corners cut off, as (x1, y1, x2, y2)."""
    found = []
    for path in ElementTree.fromstring(picture).iter(f"{SVG}path"):
        if path.get("marker-end"):
            numbers = [
                [float(number) for number in point.split()]
                for command in path.get("d").replace("M", "L").split("L")[1:]
                for point in [command.split("Q")[0]]
            ]
            starts = [
                [float(number) for number in command.split("Q")[-1].split()[-2:]]
                for command in path.get("d").replace("M", "L").split("L")[1:]
            ]
            found += [(*start, *end) for start, end in zip(starts, numbers[1:], strict=False)]
    return found


PICTURES = {
    "single": SINGLE,
    "n_tier": wire(["www"], ["www"], ["www"], ["www"], ["db"]),
    "separated_media": wire(["www"], ["www"], ["media"], ["data"], ["data"], protected=True),
    "load_balanced": wire(["lb"], ["app1", "app2"], ["data"], ["data"], ["data"]),
    "direct": (SINGLE[0], [*SINGLE[1], link("files", "everyone", ["www"], 80, 443)]),
    "big": BIG,
    "thirty": wire(["lb1", "lb2"], [f"app-{n}.eu.example" for n in range(20)], ["m1", "m2"], ["c1"], ["db1"]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_arrow_crosses_a_box_a_text_or_another_arrow(name):
    tiers, links = PICTURES[name]
    picture = draw(links, hostvars(tiers), tiers, "newsroom", "news.example", ["10.0.0.100/24"])
    root = ElementTree.fromstring(picture)
    # A tower hides the bands of its tiers, and arrows run within it.
    shapes = [
        (rect.get("rx"), tuple(float(rect.get(key)) for key in ("x", "y", "width", "height")))
        for rect in root.iter(f"{SVG}rect")
    ]
    towers = [shape for rx, shape in shapes if rx == "6" and shape[3] > 70]
    bands = [shape for rx, shape in shapes if rx == "10"]
    boxes = [shape for rx, shape in shapes if rx in ("5", "6") and shape not in towers]
    for text in root.iter(f"{SVG}text"):
        size = float(text.get("font-size"))
        width = text_width(text.text, size) * 0.9
        shift = {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")]
        boxes.append((float(text.get("x")) - shift * width, float(text.get("y")) - size * 0.7, width, size * 0.7))
    lines = _segments(picture)
    assert len(lines) >= 6
    for a, b, c, d in lines:
        hidden = any(x < a and x + w > c and y < b and y + h > d for x, y, w, h in towers)
        for x, y, width, height in boxes if hidden else boxes + bands + towers:
            apart = max(a, c) < x or min(a, c) > x + width or max(b, d) < y or min(b, d) > y + height
            assert apart, ((a, b, c, d), (x, y, width, height))
    for index, (a, b, c, d) in enumerate(lines):
        for e, f, g, h in lines[index + 1 :]:
            apart = max(a, c) < min(e, g) or max(e, g) < min(a, c) or max(b, d) < min(f, h) or max(f, h) < min(b, d)
            assert apart, ((a, b, c, d), (e, f, g, h))


def test_everything_lies_within_the_picture():
    tiers, links = PICTURES["thirty"]
    root = ElementTree.fromstring(draw(links, hostvars(tiers), tiers, "newsroom", "news.example"))
    width, height = float(root.get("width")), float(root.get("height"))
    for rect in root.iter(f"{SVG}rect"):
        assert float(rect.get("x")) >= 0
        assert float(rect.get("y")) >= 0
        assert float(rect.get("x")) + float(rect.get("width")) <= width
        assert float(rect.get("y")) + float(rect.get("height")) <= height


def test_lanes_that_would_cross_take_different_sides_and_longer_ones_run_outside():
    lanes = [Arrow(1, 3, []), Arrow(2, 4, []), Arrow(2, 5, [])]
    _assign_lanes(lanes)
    assert lanes[0].side != lanes[1].side == lanes[2].side
    assert lanes[1].depth < lanes[2].depth


def test_the_picture_is_readable_without_seeing_it_and_anywhere():
    tiers, links = BIG
    root = ElementTree.fromstring(draw(links, hostvars(tiers), tiers, "newsroom", "news.example"))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title description"
    assert root.find(f"{SVG}title").text == "Topology of newsroom at news.example"
    description = root.find(f"{SVG}desc").text
    assert "Cache servers: c1 (10.0.0.8), c2 (10.0.0.9)." in description
    assert "Application servers to cache servers: memcached 11211." in description
    # Its own background, so that the surroundings do not matter.
    first = next(root.iter(f"{SVG}rect"))
    assert (first.get("fill"), first.get("width")) == (
        "#ffffff",
        f"{float(root.get('width')) - 1:.1f}".removesuffix(".0"),
    )


def test_the_picture_is_deterministic_and_names_are_escaped():
    tiers, links = wire(['<b> & "q"'], ["app"], ["media"], ["cache"], ["db"])
    pictures = {draw(links, hostvars(tiers), tiers, "<script>", "a&b\x07") for _ in range(3)}
    assert len(pictures) == 1
    shown = texts(pictures.pop())
    assert "<script>" in shown
    assert '<b> & "q"' in shown


def test_labels():
    assert label_of(link("web", "everyone", [], 80, 443)) == "https 443, http 80"
    assert label_of(link("floating addresses", [], [], protocol="vrrp")) == "VRRP"
    assert label_of(link("metrics", [], [], 9100)) == "metrics 9100"


def test_long_names_are_cut_in_the_middle():
    name = "application-server-with-a-very-long-name-01"
    cut = shorten(name, 150, 15)
    assert text_width(cut, 15) <= 150
    assert cut.startswith("appl")
    assert cut.endswith("-01")
    assert shorten("web1", 150, 15) == "web1"
