"""A picture of a topology: tiers as rows, hosts as boxes, arrows for who talks to whom."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from ansible_collections.tiered.django.plugins.module_utils import wiring

WORLD = "world"
OTHERS = "others"


@dataclass(frozen=True)
class Look:
    """How a row looks: what it is called, the software in it, its tint and the colour of its edges."""

    title: str
    software: str
    tint: str
    edge: str


LOOKS = {
    WORLD: Look("The world", "", "#f1f3f5", "#adb5bd"),
    "balancers": Look("Balancers", "HAProxy", "#e7f0fd", "#4477bb"),
    "app_servers": Look("Application servers", "Django in uWSGI", "#e6f4ea", "#3a8f59"),
    "media_servers": Look("Media servers", "nginx", "#fdf3dc", "#b98114"),
    "cache_servers": Look("Cache servers", "memcached", "#f1eafb", "#8158b8"),
    "database_servers": Look("Database servers", "PostgreSQL", "#fce9e6", "#bb5544"),
    OTHERS: Look("Other hosts", "", "#f1f3f5", "#868e96"),
}
# Which rows the links of the topology join. On a single server their hosts do not tell.
KNOWN = {
    "web": ((WORLD,), ("balancers",)),
    "files": ((WORLD,), ("media_servers",)),
    "peers": (("balancers",), ("balancers",)),
    "floating addresses": (("balancers",), ("balancers",)),
    "application": (("balancers", "media_servers"), ("app_servers",)),
    "media": (("balancers",), ("media_servers",)),
    "cache": (("app_servers",), ("cache_servers",)),
    "database": (("app_servers",), ("database_servers",)),
    "storage": (("app_servers", "media_servers"), ("media_servers",)),
}
# What they speak, where that is not the link's name.
PROTOCOLS = {
    "application": "http",
    "media": "http",
    "cache": "memcached",
    "database": "postgres",
    "storage": "GlusterFS",
    "floating addresses": "VRRP",
}
WEB_PORTS = {"443": "https 443", "80": "http 80"}

EN_DASH = "\N{EN DASH}"

INK, GREY, PAPER = "#1f2933", "#5f6b76", "#ffffff"
# For hosts that appear in more than one place.
ACCENTS = ("#d9480f", "#1971c2", "#2f9e44", "#9c36b5", "#e8a30c", "#0b7285", "#c2255c", "#5c940d")
# Between rows there is less room where no arrow needs it.
MARGIN, PADDING, GAP, NARROW_GAP = 28, 12, 48, 22
BOX_GAP, BOXES_ACROSS, BOX_LIMIT = 16, 6, 300
PART_HEIGHT, HEADER_HEIGHT = 32, 46
SLOT, LANE = 24, 18


@dataclass(frozen=True)
class Host:
    """One host in one row, and the remark on it."""

    name: str
    address: str
    remark: str = ""


@dataclass
class Row:
    """One tier, where it lies, and what its hosts say to each other."""

    key: str
    hosts: list[Host]
    among: list[str] = field(default_factory=list)
    y: float = 0
    height: float = 0

    @property
    def look(self) -> Look:
        """Return how the row looks."""
        return LOOKS[self.key]

    @property
    def bottom(self) -> float:
        """Return where the row ends."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Return the height of its axis."""
        return self.y + self.height / 2


@dataclass
class Arrow:
    """What one row says to another, by their indices; around other rows it runs in a lane on one side."""

    source: int
    target: int
    labels: list[str]
    side: str = ""
    depth: int = 0

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and the last row that it passes."""
        return min(self.source, self.target), max(self.source, self.target)

    @property
    def text(self) -> str:
        """Return its label."""
        return ", ".join(self.labels)


@dataclass
class Plan:
    """What is drawn: rows from top to bottom and the arrows between them."""

    rows: list[Row]
    arrows: list[Arrow]


def text_width(text: str, size: float) -> float:
    """Estimate how wide a text is, rather too wide than too narrow for any sans-serif font.

    :param text: The text.
    :param size: Font size.
    """
    widths = {**dict.fromkeys("iljtfrI.,:;'|!()[]/- ", 0.36), **dict.fromkeys("mwMW@%", 0.95)}
    return sum(widths.get(sign, 0.72 if sign.isupper() else 0.61) for sign in text) * size


def shorten(text: str, width: float, size: float) -> str:
    """Cut a text in its middle until it fits.

    :param text: The text.
    :param width: How wide it may be.
    :param size: Font size.
    """
    if text_width(text, size) <= width:
        return text
    keep = len(text) - 1
    while keep > 2 and text_width(text[:keep], size) > width - size:
        keep -= 1
    return f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"


def label_of(link: Mapping[str, Any]) -> str:
    """Return protocol and ports of a link, as one says them."""
    ports = [str(port).replace("-", EN_DASH) for port in link["ports"]]
    if link["name"] in ("web", "files"):
        # What matters first: http only redirects.
        return ", ".join(WEB_PORTS.get(port, port) for port in sorted(ports, key=lambda port: port != "443"))
    protocol = str(link.get("protocol", "tcp"))
    words = [PROTOCOLS.get(link["name"], str(link["name"]))]
    if protocol != "tcp" and protocol.lower() != words[0].lower():
        words.append(protocol)
    return " ".join([*words, ", ".join(ports)]).strip()


def rows_of(hosts: Iterable[str], tiers: Mapping[str, Iterable[str]], candidates: Iterable[str]) -> list[str]:
    """Find the rows that one end of a link stands for.

    :param hosts: The hosts at that end.
    :param tiers: The hosts of each row.
    :param candidates: The rows to look at, the likelier first.
    :returns: As few rows as hold all the hosts, those whose hosts all belong to the link first.
    """
    left, found = list(dict.fromkeys(hosts)), []
    candidates = list(candidates)
    whole = [key for key in candidates if tiers[key] and set(tiers[key]) <= set(left)]
    for key in [*whole, *(key for key in candidates if key not in whole)]:
        if set(tiers[key]) & set(left):
            found.append(key)
            left = [host for host in left if host not in tiers[key]]
    return found


def plan(
    links: Iterable[Mapping[str, Any]],
    hostvars: Mapping[str, Any],
    tiers: Mapping[str, Iterable[str]],
    leaving: Mapping[str, Iterable[str]] | None = None,
) -> Plan:
    """Turn the wiring into rows and arrows.

    :param links: The links of the topology: ``name``, ``from`` (inventory names, or ``everyone``), ``to``, ``ports``
        and optionally ``protocol``.
    :param hostvars: The variables of every host.
    :param tiers: The hosts of each tier, by the names of the groups.
    :param leaving: The hosts that leave each tier; they are drawn after those that stay.
    """
    links = list(links)
    members = {tier: list(tiers.get(tier, ())) for tier in wiring.TIERS}
    going = {tier: [host for host in (leaving or {}).get(tier, ()) if host not in members[tier]] for tier in members}
    placed = {host for hosts in [*members.values(), *going.values()] for host in hosts}
    ends = [host for link in links for side in ("from", "to") if link[side] != wiring.EVERYONE for host in link[side]]
    members[OTHERS] = [host for host in dict.fromkeys(ends) if host not in placed]

    order = [WORLD, *(key for key in members if members[key] or going.get(key))]
    indices = {key: index for index, key in enumerate(order)}
    arrows: dict[tuple[int, int], Arrow] = {}
    among: dict[str, list[str]] = {key: [] for key in order}
    linked: dict[str, set[str]] = {key: set() for key in order}
    for link in links:
        origin, goal = KNOWN.get(link["name"], ((), ()))
        everyone = link["from"] == wiring.EVERYONE
        sources = [WORLD] if everyone else rows_of(link["from"], members, origin or members)
        for source in sources:
            for target in rows_of(link["to"], members, goal or members):
                linked[source] |= set() if everyone else set(link["from"])
                linked[target] |= set(link["to"])
                if source != target:
                    pair = indices[source], indices[target]
                    arrow = arrows.setdefault(pair, Arrow(*pair, []))
                    arrow.labels += [text for text in [label_of(link)] if text not in arrow.labels]
                elif len({*link["from"], *link["to"]} & {*members[source]}) > 1 and label_of(link) not in among[source]:
                    among[source].append(label_of(link))

    def host(name: str, key: str) -> Host:
        variables = hostvars[name]
        remark = "" if name in linked[key] else "in reserve"
        if name in going.get(key, ()):
            remark = "gone" if variables.get("topology_leaving") == wiring.GONE else "leaving"
        elif wiring.is_away(variables):
            remark = "absent"
        return Host(name, wiring.address_of(variables) or "", remark)

    rows = [
        Row(key, [host(name, key) for name in [*members.get(key, ()), *going.get(key, ())]], among[key])
        for key in order
    ]
    result = Plan(rows, sorted(arrows.values(), key=lambda arrow: (arrow.source, arrow.target)))
    _assign_lanes(result.arrows)
    return result


def _assign_lanes(arrows: list[Arrow]) -> None:
    """Put arrows that pass rows to the side where they cross the fewest others, shorter ones further in."""
    lanes = [arrow for arrow in arrows if arrow.span[1] - arrow.span[0] > 1]
    sides: dict[str, list[Arrow]] = {"right": [], "left": []}

    def crosses(one: Arrow, other: Arrow) -> bool:
        (a, b), (c, d) = sorted([one.span, other.span])
        return a < c < b < d

    for arrow in sorted(lanes, key=lambda arrow: (arrow.span[0] - arrow.span[1], -arrow.span[0])):
        arrow.side = min(sides, key=lambda side: sum(crosses(arrow, other) for other in sides[side]))
        sides[arrow.side].append(arrow)
    for together in sides.values():
        for arrow in (ordered := sorted(together, key=lambda arrow: (arrow.span[1] - arrow.span[0], arrow.span))):
            inner = ordered[: ordered.index(arrow)]
            overlapping = [o.depth for o in inner if o.span[0] <= arrow.span[1] and arrow.span[0] <= o.span[1]]
            arrow.depth = max(overlapping, default=-1) + 1


def towers_of(rows: list[Row]) -> list[tuple[int, int]]:
    """Find the runs of rows that stand on one and the same host alone.

    :returns: The first and the last index of each run of two rows and more.
    """
    runs: list[list[int]] = []
    for index, row in enumerate(rows):
        alone = row.hosts[0] if len(row.hosts) == 1 else None
        before = rows[runs[-1][-1]].hosts if runs and runs[-1][-1] == index - 1 else []
        if alone and len(before) == 1 and before[0].name == alone.name and before[0].remark == alone.remark:
            runs[-1].append(index)
        else:
            runs.append([index])
    return [(run[0], run[-1]) for run in runs if len(run) > 1]


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _clean(text: str) -> str:
    """Escape a text, without what XML does not know."""
    return escape(re.sub(r"[^\x20-\ud7ff\ue000-\ufffd]", "", text), {'"': "&quot;"})


def _element(name: str, text: str | None = None, **attributes: Any) -> str:
    parts = [name]
    for key, value in attributes.items():
        shown = _number(value) if isinstance(value, (int, float)) else _clean(value)
        parts.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    return f"<{' '.join(parts)}/>" if text is None else f"<{' '.join(parts)}>{_clean(text)}</{name}>"


def _path(points: list[tuple[float, float]], radius: float = 8) -> str:
    """Join points with round corners."""
    commands = [f"M{_number(points[0][0])} {_number(points[0][1])}"]
    for before, (x, y), after in zip(points, points[1:], points[2:], strict=False):
        ends = []
        for other in (before, after):
            distance = abs(other[0] - x) + abs(other[1] - y)
            step = min(radius, distance / 2) / distance if distance else 0
            ends.append((x + (other[0] - x) * step, y + (other[1] - y) * step))
        (a, b), (c, d) = ends
        commands.append(f"L{_number(a)} {_number(b)}Q{_number(x)} {_number(y)} {_number(c)} {_number(d)}")
    return "".join([*commands, f"L{_number(points[-1][0])} {_number(points[-1][1])}"])


class Picture:
    """Lays a plan out and draws it.

    :param drawn: The plan.
    :param title: The name of the site.
    :param domain: Its domain.
    :param floating: Addresses that one of the balancers holds.
    """

    def __init__(self, drawn: Plan, title: str, domain: str, floating: Iterable[str] = ()) -> None:
        self.rows, self.arrows = drawn.rows, drawn.arrows
        self.title, self.domain, self.floating = title, domain, [str(address) for address in floating]
        self.towers = towers_of(self.rows)
        self.inside = {index: tower for tower in self.towers for index in range(tower[0], tower[1] + 1)}
        places: dict[str, int] = {}
        for index, row in enumerate(self.rows):
            for host in row.hosts if self.inside.get(index, (index,))[0] == index else ():
                places[host.name] = places.get(host.name, 0) + 1
        several = [name for name, times in places.items() if times > 1]
        self.accents = {name: ACCENTS[index % len(ACCENTS)] for index, name in enumerate(several)}
        self.shapes: list[str] = []
        self._lay_out()

    # Layout ----------------------------------------------------------------------------------------------------------

    def _notes(self, row: Row) -> list[str]:
        return [note for note in [row.look.software] if note]

    def _box_width(self, row: Row) -> float:
        texts = [(host.name, 15.0) for host in row.hosts] + [(host.address, 12.5) for host in row.hosts]
        texts += [(host.remark, 12.0) for host in row.hosts]
        return min(BOX_LIMIT, max([130, *(text_width(text, size) + 28 for text, size in texts)]))

    def _box_height(self, row: Row) -> float:
        return 68 if any(host.remark for host in row.hosts) else 52

    def _lines(self, row: Row) -> list[list[Host]]:
        return [row.hosts[start : start + BOXES_ACROSS] for start in range(0, len(row.hosts), BOXES_ACROSS)]

    def _gap_arrows(self, upper: int) -> list[Arrow]:
        return [arrow for arrow in self.arrows if arrow.span == (upper, upper + 1)]

    def _slots(self, index: int, side: str) -> list[Arrow]:
        """Return the lanes that begin or end at a row, in the order from top to bottom that crosses none."""
        ends = [arrow for arrow in self.arrows if arrow.side == side and index in arrow.span]
        up = sorted((arrow for arrow in ends if arrow.span[1] == index), key=lambda arrow: arrow.depth)
        return up + sorted((arrow for arrow in ends if arrow.span[0] == index), key=lambda arrow: -arrow.depth)

    def _lay_out(self) -> None:
        """Decide where everything lies."""
        notes = [(row.look.title, 15.0) for row in self.rows if row.key != WORLD]
        notes += [(note, 12.5) for row in self.rows for note in self._notes(row)]
        notes += [(f"↔ {note}", 12.0) for row in self.rows for note in row.among]
        self.label_width = max(text_width(text, size) for text, size in notes) + 2 * PADDING

        inner = 300.0
        for index, row in enumerate(self.rows):
            for line in self._lines(row) if index not in self.inside else []:
                inner = max(inner, len(line) * (self._box_width(row) + BOX_GAP) - BOX_GAP)
            gap = [text_width(arrow.text, 12.5) + 34 for arrow in self._gap_arrows(index)]
            inner = max(inner, 2 * gap[0] if len(gap) == 1 else sum(gap))
        self.tower_width = max([300.0, *(self._tower_width(first, last) for first, last in self.towers)])
        inner = max(inner, self.tower_width)

        self.margins = {}
        for side in ("left", "right"):
            lanes = [arrow for arrow in self.arrows if arrow.side == side]
            self.stub = {**getattr(self, "stub", {}), side: 0.0}
            if lanes:
                self.stub[side] = max(text_width(arrow.text, 12.5) for arrow in lanes) + 20
            depth = max((arrow.depth for arrow in lanes), default=-1) + 1
            self.margins[side] = MARGIN + self.stub[side] + depth * LANE
        self.left = self.margins["left"]
        self.width = self.label_width + inner + 2 * PADDING
        self.right = self.left + self.width
        self.axis = self.left + self.label_width + (inner + PADDING) / 2
        self.total_width = self.right + self.margins["right"]

        y = MARGIN + 62.0
        for index, row in enumerate(self.rows):
            row.y = y
            row.height = self._row_height(index, row)
            y = row.bottom + (GAP if self._gap_arrows(index) else NARROW_GAP)
        self.total_height = self.rows[-1].bottom + MARGIN

    def _row_height(self, index: int, row: Row) -> float:
        slots = max(len(self._slots(index, side)) for side in ("left", "right")) * SLOT + 8
        if row.key == WORLD:
            return max(40, slots)
        column = 22 + 17 * (len(self._notes(row)) + len(row.among)) + 12
        lines = len(self._lines(row))
        boxes = lines * (self._box_height(row) + BOX_GAP) - BOX_GAP + 2 * PADDING
        if index in self.inside:
            boxes = PART_HEIGHT + 2 * PADDING
            if self.inside[index][0] == index:
                boxes += HEADER_HEIGHT + PADDING / 2 + (16 if row.hosts[0].remark else 0)
        return max(slots, column, boxes)

    def _tower_width(self, first: int, last: int) -> float:
        """Return what the arrows within a tower and its name need."""
        gaps = [text_width(arrow.text, 12.5) + 34 for index in range(first, last) for arrow in self._gap_arrows(index)]
        return max([self._box_width(self.rows[first]), *(2 * gap for gap in gaps)])

    def _part_top(self, index: int) -> float:
        """Return where the part of a tower lies in a row."""
        row = self.rows[index]
        if self.inside[index][0] == index:
            return row.bottom - PADDING - PART_HEIGHT
        return row.middle - PART_HEIGHT / 2

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _add(self, name: str, text: str | None = None, **attributes: Any) -> None:
        self.shapes.append(_element(name, text, **attributes))

    def _text(self, x: float, y: float, text: str, size: float, **attributes: Any) -> None:
        self._add("text", text, x=x, y=y, font_size=size, **attributes)

    def _line(self, points: list[tuple[float, float]]) -> None:
        self._add("path", d=_path(points), fill="none", stroke=INK, stroke_width=1.6, marker_end="url(#head)")

    def _box(self, x: float, y: float, width: float, height: float, host: Host) -> None:
        """Draw a host with its name, its address and the remark on it."""
        accent = self.accents.get(host.name)
        away = {"stroke_dasharray": "5 4"} if host.remark else {}
        self._add("rect", x=x, y=y, width=width, height=height, rx=6, fill=PAPER, stroke=INK, stroke_width=1.4, **away)
        if accent:
            self._add("rect", x=x + 5, y=y + 6, width=4, height=height - 12, rx=2, fill=accent)
        middle, room = x + width / 2, width - 20
        ink = GREY if host.remark else INK
        look = {"text_anchor": "middle"}
        self._text(middle, y + 22, shorten(host.name, room, 15), 15, font_weight="bold", fill=ink, **look)
        self._text(middle, y + 40, shorten(host.address, room, 12.5), 12.5, fill=GREY, **look)
        if host.remark:
            self._text(middle, y + 56, host.remark, 12, font_style="italic", fill=GREY, **look)

    def _draw_row(self, row: Row) -> None:
        look = row.look
        x, width = self.left, self.width
        if row.key == WORLD and not self._slots(0, "left") + self._slots(0, "right"):
            x, width = self.axis - 110, 220.0
        self._add("rect", x=x, y=row.y, width=width, height=row.height, rx=10, fill=look.tint, stroke=look.edge)
        if row.key == WORLD:
            text = {"text_anchor": "middle", "font_weight": "bold"}
            self._text(self.axis, row.middle + 5, look.title, 15, **text)
            return
        x, y = self.left + PADDING, row.y + 24
        self._text(x, y, look.title, 15, font_weight="bold", fill=INK)
        for note in self._notes(row):
            self._text(x, y := y + 17, note, 12.5, fill=GREY)
        for note in row.among:
            self._text(x, y := y + 17, f"↔ {note}", 12, fill=GREY)

    def _draw_boxes(self, row: Row) -> None:
        width, height = self._box_width(row), self._box_height(row)
        lines = self._lines(row)
        y = row.middle - (len(lines) * (height + BOX_GAP) - BOX_GAP) / 2
        for line in lines:
            x = self.axis - (len(line) * (width + BOX_GAP) - BOX_GAP) / 2
            for host in line:
                self._box(x, y, width, height, host)
                x += width + BOX_GAP
            y += height + BOX_GAP

    def _draw_tower(self, first: int, last: int) -> None:
        """Draw a host that several rows stand on, around its parts."""
        top, bottom = self.rows[first].y + PADDING / 2, self.rows[last].bottom - PADDING / 2
        self._box(self.axis - self.tower_width / 2, top, self.tower_width, bottom - top, self.rows[first].hosts[0])
        for index in range(first, last + 1):
            look, y = self.rows[index].look, self._part_top(index)
            x, width = self.axis - 85, 170
            self._add("rect", x=x, y=y, width=width, height=PART_HEIGHT, rx=5, fill=look.tint, stroke=look.edge)
            self._text(self.axis, y + 21, look.software, 13, text_anchor="middle", fill=INK)

    def _draw_gap(self, upper: int) -> None:
        """Draw the arrows between two rows that follow each other."""
        arrows = self._gap_arrows(upper)
        top, bottom = self.rows[upper].bottom, self.rows[upper + 1].y
        if upper in self.inside and self.inside[upper] == self.inside.get(upper + 1):
            top, bottom = self._part_top(upper) + PART_HEIGHT, self._part_top(upper + 1)
        widths = [text_width(arrow.text, 12.5) + 34 for arrow in arrows]
        x = self.axis if len(arrows) == 1 else self.axis - sum(widths) / 2 + 12
        for arrow, width in zip(arrows, widths, strict=True):
            ends = [(x, top + 1), (x, bottom - 2)]
            self._line(ends if arrow.source == upper else [(x, bottom - 1), (x, top + 2)])
            self._text(x + 10, (top + bottom) / 2 + 4, arrow.text, 12.5, fill=INK)
            x += width

    def _draw_lane(self, arrow: Arrow) -> None:
        """Draw an arrow that passes other rows, beside them, with its label where it begins."""
        way = 1 if arrow.side == "right" else -1
        edge = self.right if arrow.side == "right" else self.left
        x = edge + way * (self.stub[arrow.side] + arrow.depth * LANE)
        heights = []
        for index in (arrow.source, arrow.target):
            row, slots = self.rows[index], self._slots(index, arrow.side)
            heights.append(row.middle + (slots.index(arrow) - (len(slots) - 1) / 2) * SLOT)
        start, end = heights
        self._line([(edge + way, start), (x, start), (x, end), (edge + way * 2, end)])
        anchor = "start" if way > 0 else "end"
        self._text(edge + way * 8, start - 6, arrow.text, 12.5, text_anchor=anchor, fill=INK)

    def description(self) -> str:
        """Say in words what the picture shows, for those who do not see it."""
        sentences = []
        for row in self.rows[1:]:
            hosts = [
                " ".join([host.name, *(f"({remark})" for remark in (host.address, host.remark) if remark)])
                for host in row.hosts
            ]
            sentences.append(f"{row.look.title}: {', '.join(hosts)}.")
        for arrow in self.arrows:
            source, target = self.rows[arrow.source].look.title, self.rows[arrow.target].look.title
            sentences.append(f"{source} to {target.lower()}: {arrow.text}.")
        sentences += [f"{row.look.title} among themselves: {', '.join(row.among)}." for row in self.rows if row.among]
        return " ".join(sentences)

    def svg(self) -> str:
        """Return the picture."""
        names = {host.name for row in self.rows for host in row.hosts}
        count = f"{len(names)} host{'' if len(names) == 1 else 's'}"
        where = f", floating address {', '.join(self.floating)}" if self.floating else ""
        self._add(
            "rect", x=0.5, y=0.5, width=self.total_width - 1, height=self.total_height - 1, rx=12, fill=PAPER,
            stroke="#d5dae0",
        )  # fmt: skip
        self._text(MARGIN, MARGIN + 16, self.title, 22, font_weight="bold", fill=INK)
        self._text(MARGIN, MARGIN + 38, f"{self.domain}, {count}{where}", 13, fill=GREY)
        for row in self.rows:
            self._draw_row(row)
        for index, row in enumerate(self.rows):
            if row.key != WORLD and index not in self.inside:
                self._draw_boxes(row)
        for tower in self.towers:
            self._draw_tower(*tower)
        for index in range(len(self.rows) - 1):
            self._draw_gap(index)
        for arrow in self.arrows:
            if arrow.side:
                self._draw_lane(arrow)
        size = f"0 0 {_number(self.total_width)} {_number(self.total_height)}"
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}" width="{_number(self.total_width)}"'
            f' height="{_number(self.total_height)}" role="img" aria-labelledby="title description"'
            " font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">",
            _element("title", f"Topology of {self.title} at {self.domain}", id="title"),
            _element("desc", self.description(), id="description"),
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8"'
            f' orient="auto-start-reverse"><path d="M0 1L9 5L0 9z" fill="{INK}"/></marker></defs>',
        ]
        return "\n".join([*head, *self.shapes, "</svg>", ""])


def draw(
    links: Iterable[Mapping[str, Any]],
    hostvars: Mapping[str, Any],
    tiers: Mapping[str, Iterable[str]],
    title: str,
    domain: str,
    floating: Iterable[str] = (),
    leaving: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Draw a topology.

    :param links: The links of the topology, as for :func:`plan`.
    :param hostvars: The variables of every host.
    :param tiers: The hosts of each tier, by the names of the groups.
    :param title: The name of the site.
    :param domain: Its domain.
    :param floating: Addresses that one of the balancers holds.
    :param leaving: The hosts that leave each tier.
    :returns: SVG, the same for the same arguments.
    """
    return Picture(plan(links, hostvars, tiers, leaving), title, domain, floating).svg()
