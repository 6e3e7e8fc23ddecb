"""The page of a report: one file that needs no network, and that prints on A4 as it is.

The same page becomes the PDF file. It holds a gap for the seal, which the service fills.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

from markupsafe import Markup

from web import report_tables as tables
from web.documents import environment
from web.maps import LANGUAGE_TAGS
from web.report_tables import Column, Json, Row, Table, Tile, Titles, amount, words
from web.texts import TEXTS
from web.texts import text as say

GAP = '<script type="application/json" id="report-seal"></script>'
"""Where the seal goes; it stands once in every page."""
_MINUTES = 16
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Swatch:
    """An entry of the legend of the map: colour, shape (`area`, `line`, `circle`), label."""

    colour: str
    shape: str
    label: str


@dataclass(frozen=True, slots=True)
class Plate:
    """The map of a report.

    Attributes:
        image: PNG.
        scale: Denominator of the scale where the map is as wide as the text on A4.
        credits: Whom to credit.
        reviews: Map review numbers of its layers.
        legend: What its signs mean.
        alternative: What it shows, for those who do not see it.
    """

    image: bytes
    scale: int
    credits: tuple[str, ...]
    reviews: tuple[str, ...]
    legend: tuple[Swatch, ...]
    alternative: str

    @property
    def address(self) -> str:
        """The image as an address that needs no file."""
        return "data:image/png;base64," + base64.b64encode(self.image).decode("ascii")


@dataclass(frozen=True, slots=True)
class ReportView:
    """What a page of a report shows.

    Attributes:
        kind: `impact` or `compliance`.
        language: `zh` or `en`.
        answer: The answer (JSON).
        id, title, note: Of the report.
        created, moment: Instants, ISO 8601.
        clearance: Name of the level of its readers.
        product: Name and version of the program.
        inputs: Layers with number, time and source of their editions.
        digest: SHA-256 of the answer.
        fingerprint: That of the certificate.
        plate: The map; None with `plate_missing` saying why.
        titles: Titles of attributes by layer.
    """

    kind: Literal["impact", "compliance"]
    language: str
    answer: Json
    id: str
    title: str
    note: str
    created: str
    moment: str
    clearance: str
    product: str
    inputs: Sequence[Json]
    digest: str
    fingerprint: str
    plate: Plate | None = None
    plate_missing: str = ""
    titles: Titles = field(default_factory=dict)


def report_page(view: ReportView) -> str:
    """The page of a report, with its gap for the seal."""
    language = view.language
    page = {
        "view": view,
        "answer": view.answer,
        "tag": LANGUAGE_TAGS[language],
        "style": Markup(_style()),  # noqa: S704 (a file of our own)
        # A policy that allows this very style and nothing else; scripts there are none.
        "policy": _policy(),
        "gap": Markup(GAP),  # noqa: S704 (a constant)
        "t": lambda key: say(key, language),
        "words": lambda value: words(value, language),
        "minute": minute,
        "origin": lambda value: origin(value, language),
        "basis": _basis(view),
        "running": f"{say('report_number', language)} {view.id}",
    }
    made = _impact(view) if view.kind == "impact" else _compliance(view)
    html = environment().get_template("report.html").render({**_NOTHING, **page, **made})
    if html.count(GAP) != 1:
        raise ValueError("a page has one gap for its seal")
    return html


def origin(value: str, language: str) -> str:
    """What a zone is named by, in words where it is a way to draw one; others are names already."""
    key = f"report_origin_{value}"
    return say(key, language) if key in TEXTS else value


_NOTHING: dict[str, Any] = {"tiles": (), "tables": (), "zone": None, "red_line": None, "verdict": None, "banner": None}


def report_policy() -> str:
    """The content-security policy under which a page of a report is served."""
    return f"{_policy()}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:"


@lru_cache(maxsize=1)
def _style() -> str:
    return (resources.files("web") / "static" / "report" / "report.css").read_text(encoding="utf-8")


def minute(moment: str) -> str:
    """An instant (ISO 8601) to the minute, in UTC."""
    found = dt.datetime.fromisoformat(moment).astimezone(dt.UTC)
    return f"{found.isoformat(' ')[:_MINUTES]} UTC"


def _impact(view: ReportView) -> dict[str, Any]:
    answer, language = view.answer, view.language
    shown: list[tuple[str, list[Table]]] = [
        ("", _there(tables.zone_table(answer["zone"], language), tables.people_table(answer, language))),
        ("", [tables.overview(answer, language)]),
        ("", _there(tables.divisions(answer, language))),
        ("", _there(tables.ways_table(answer.get("ways") or {}, language))),
        ("", _there(tables.needs_table(answer.get("needs") or (), language))),
        (say("report_details", language), tables.details(answer, language, view.titles)),
        ("", _there(tables.missing(answer, language))),
    ]
    status = answer["zone"].get("status", "actual")
    return {
        "zone": answer["zone"],
        "banner": None if status == "actual" else say(f"report_status_{status}", language),
        "tiles": tables.tiles(answer, language),
        "tables": [(title, found) for title, found in shown if found],
        "ways_line": _ways_line(answer.get("ways"), language),
    }


def _there(*found: Table | None) -> list[Table]:
    return [table for table in found if table is not None]


def _ways_line(ways: Json | None, language: str) -> str:
    if not ways or ways["status"] != "ok":
        return words((ways or {}).get("note"), language)
    figures = {
        "km": amount(ways["closed_m"], "m", language),
        "n": ways["isolated"],
        "people": f"{round(ways['isolated_people']):,}",
    }
    told = say("report_ways_line", language).format(**figures)
    return f"{told} {words(ways['note'], language)}" if ways.get("note") else told


def _compliance(view: ReportView) -> dict[str, Any]:
    answer, language = view.answer, view.language
    line = answer["red_line"]
    area = line["area"]
    told = f"{area['ha']:,.4f} {say('report_unit_ha', language)}"
    tile = Tile(say("report_area", language), told, f"{area['mu']:,.2f} {say('report_mu', language)}")
    overlaps = [_overlap(one, language) for one in answer["sections"]]
    return {
        "red_line": line,
        "verdict": answer["verdict"],
        "tiles": [tile, Tile(say("report_parcels", language), str(line["parcels"]))],
        "tables": [("", [_rules(answer, language)]), (say("report_overlaps", language), overlaps)],
        "ways_line": "",
    }


def _rules(answer: Json, language: str) -> Table:
    rows = []
    for one in answer["rules"]:
        area = f"{one['area']['ha']:,.4f}" if one.get("area") else "–"
        said = say(f"report_verdict_{one['verdict']}", language)
        basis = (
            f"{words(one['text'], language)}（{one['source']}）"
            if language == "zh"
            else f"{words(one['text'], language)} ({one['source']})"
        )
        rows.append(Row((words(one["title"], language), said, area, basis), colour=_VERDICTS[one["verdict"]]))
    hectares = f"{say('report_concerned', language)} ({say('report_unit_ha', language)})"
    heads = (
        Column(say("report_rule", language)),
        Column(say("report_verdict", language)),
        Column(hectares, number=True),
        Column(say("report_source", language)),
    )
    return Table(say("report_rules", language), heads, tuple(rows))


_VERDICTS = {"clear": "#2e7d4f", "attention": "#b7791f", "conflict": "#a3201d", "no-data": "#6b7280"}


def _overlap(section: Json, language: str) -> Table:
    role = say(f"report_role_{section['role']}", language)
    caption = f"{role} · {words(section['title'], language)}"
    heads = (
        Column(say("report_group", language)),
        Column(say("report_unit_ha", language), number=True),
        Column(say("report_mu", language), number=True),
        Column(say("report_share", language), number=True),
    )
    if section["status"] != "ok":
        return Table(caption, heads, (), (say("report_verdict_no-data", language),))
    whole = sum(one["m2"] for one in section["rows"]) or 1.0
    rows = tuple(
        Row(
            (words(one["label"], language), f"{one['ha']:,.4f}", f"{one['mu']:,.2f}", f"{one['m2'] / whole:.1%}"),
            one["m2"] / whole,
        )
        for one in section["rows"]
    )
    return tables.cut(Table(caption, heads, rows, bars=True), language)


def _basis(view: ReportView) -> list[Table]:
    language = view.language
    heads = ("report_input", "report_edition", "report_committed", "report_file")
    rows = tuple(
        Row(
            (words(one["title"], language) or one["layer"], str(one["number"]), minute(one["committed"]), one["source"])
        )
        for one in view.inputs
    )
    return [Table(say("report_basis", language), tuple(Column(say(key, language)) for key in heads), rows)]
