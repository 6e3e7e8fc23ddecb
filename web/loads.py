"""The page of a load: what its template needs beyond the document, and the page as one file without a network."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from markupsafe import Markup

from web import charts
from web.numbers import bytes_of, percent, plain
from web.page import Page, with_nonce
from web.sentences import in_language
from web.texts import TEXTS, text

Json = dict[str, Any]
SUM = ("inserted", "updated", "unchanged", "not_selected", "quarantined")
"""Parts of what was read, in the order of the picture."""
_COMPARED = ("read", "inserted", "updated", "unchanged", "quarantined", "not_selected", "deleted")
_STYLES = ("portal/tokens.css", "pages/pages.css", "pages/loads.css")
_MENDING = {
    name: f"mend_{name}"
    for name in ("open", "close", "send", "sending", "loading", "geometry", "crs", "failed", "network")
}
"""What the form for a row of quarantine says; the page's script makes it."""
_MINUTES = 16
_FEW = 10


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in one word, its tone (`ok`, `warn`, `bad`, `plain`), and the sentences after it."""

    tone: str
    word: str
    sentences: tuple[str, ...]


def load_context(body: Json, language: str) -> Json:
    """Names that the templates of a load use.

    Args:
        body: A load report as the service gives it.
        language: `zh` or `en`.
    """
    findings = body["findings"]
    return {
        "headline": headline(body, language),
        "segments": charts.stacked((name, (body["counts"] or {}).get(name, 0)) for name in SUM),
        "profiles": [_profile(one) for one in body["profile"]],
        "sketch": charts.sketch(_places(findings), body["extent"]),
        "placed": any(one["places"] for one in findings),
        "compared": _comparison(body),
        "decided": decided(body["source"]["reference"], language),
        "zones": zones(body["source"]["reference"], language),
        "raw": _raw,
        "mend_words": json.dumps({name: text(key, language) for name, key in _MENDING.items()}, ensure_ascii=False),
        "sentence": lambda said: in_language(said, language),
        **page_context(),
    }


def decided(reference: Json | None, language: str) -> str:
    """How the CRS of a source was decided, as a sentence; empty when it has none."""
    if reference is None:
        return ""
    key, person = f"crs_how_{reference['how']}", f"crs_how_{reference['how']}_person"
    how = text(person if reference["by"] == "person" and person in TEXTS else key, language)
    named = f"datum_{reference['datum']}"
    datum = f" ({text(named, language)})" if reference["datum"] else ""
    return f"{how}{datum}{text('crs_confidence', language).replace('{n}', format(reference['confidence'], 'g'))}"


def zones(reference: Json | None, language: str) -> str:
    """The Gauss-Krueger zones in which rows of a source were read; empty when there are none."""
    told = text("crs_zone", language)
    found = (reference or {}).get("zones") or ()
    return text("list_comma", language).join(_filled_zone(told, zone) for zone in found)


def _filled_zone(told: str, zone: Json) -> str:
    crs = f"{zone['crs']} · " if zone["crs"] else ""
    values = {"n": zone["number"], "width": zone["width"], "meridian": zone["meridian"], "crs": crs}
    for name, value in {**values, "rows": plain(zone["rows"])}.items():
        told = told.replace(f"{{{name}}}", str(value))
    return told


def page_context() -> Json:
    """Names that all pages about loads use."""
    return {"plain": plain, "percent": percent, "bytes_of": bytes_of, "minute": minute}


def load_title(kind: str, body: Json, language: str) -> str:
    """Heading of a page about loads."""
    layer = body["titles"]["zh" if language == "zh" else "en"]
    key = f"{kind}_title"
    return text(key, language).replace("{layer}", layer).replace("{n}", str(body.get("number", "")))


def headline(body: Json, language: str) -> Headline:
    """What came of a load, in plain words."""
    outcome, counts = body["outcome"], body["counts"]
    ended, named = f"head_{outcome}", f"outcome_{outcome}"
    if outcome in ("refused", "failed"):
        return Headline("bad", text("verdict_bad", language), (text(ended, language),))
    if counts is None:
        return Headline("plain", text(named, language), (text("head_outcome", language),))
    tone = "warn" if counts["quarantined"] else "ok"
    word = "verdict_dry" if outcome == "dry-run" else f"verdict_{tone}"
    return Headline(tone, text(word, language), tuple(_sentences(outcome, counts, language)))


def _sentences(outcome: str, counts: Json, language: str) -> Iterator[str]:
    good, bad = counts["inserted"] + counts["updated"] + counts["unchanged"], counts["quarantined"]
    if outcome == "dry-run":
        yield text("head_dry", language)
    same = outcome == "unchanged"
    if bad:
        values = {"read": counts["read"], "good": good, "bad": bad}
        yield _filled("head_unchanged_some" if same else "head_some", language, **values)
    else:
        yield _filled("head_unchanged" if same else "head_all", language, read=good)
    for name, key in (("not_selected", "head_unselected"), ("deleted", "head_deleted")):
        if counts[name]:
            yield _filled(key, language, n=counts[name])


def _filled(key: str, language: str, **values: int) -> str:
    sentence = text(key, language)
    for name, value in values.items():
        sentence = sentence.replace(f"{{{name}}}", plain(value))
    return sentence


def _places(findings: list[Json]) -> list[tuple[float, float, str, int]]:
    return [
        (lon, lat, one["severity"], number)
        for number, one in enumerate(findings, start=1)
        for lon, lat in one["places"]
    ]


def place_features(findings: list[Json], language: str) -> list[Json]:
    """The places of findings as GeoJSON points: severity, number of the finding, its name."""
    names = [one["title"]["zh" if language == "zh" else "en"] for one in findings]
    return [
        {
            "type": "Feature",
            "properties": {"severity": severity, "finding": number, "name": names[number - 1]},
            "geometry": {"type": "Point", "coordinates": [lon, lat]},
        }
        for lon, lat, severity, number in _places(findings)
    ]


def _profile(entry: Json) -> Json:
    """A profile with its chart: columns for numbers and times, else a table of values with bars."""
    made = {**entry, "columns": None, "kind": "values"}
    if entry["histogram"] is not None:
        made |= {
            "columns": charts.histogram(entry["histogram"]["edges"], entry["histogram"]["counts"]),
            "kind": "range",
        }
    elif entry["timeline"] is not None:
        made |= {"columns": charts.timeline(entry["timeline"]["labels"], entry["timeline"]["counts"]), "kind": "time"}
    elif _nearly_unique(entry):
        made["kind"] = "unique"
    top = max((one["count"] for one in entry["values"]), default=0)
    made["values"] = [{**one, "part": one["count"] / top} for one in entry["values"]]
    return made


def _nearly_unique(entry: Json) -> bool:
    """Whether frequent values say nothing, because nearly every row has its own."""
    distinct, filled = entry["distinct"], entry["rows"] - entry["nulls"]
    return distinct is not None and distinct > _FEW and distinct * 2 > filled


def _comparison(body: Json) -> list[tuple[str, int, int]]:
    """Name, number of this load, number of the former; empty when one of them has no counts."""
    former = body["former"]
    if former is None or former["counts"] is None or body["counts"] is None:
        return []
    return [(name, body["counts"][name], former["counts"][name]) for name in _COMPARED]


def _raw(raw: str) -> list[tuple[str, str]]:
    """Fields of a quarantined row; what is no JSON object (it may be cut) stays one text."""
    try:
        fields = json.loads(raw)
    except ValueError:
        return [("", raw)]
    if not isinstance(fields, dict):
        return [("", raw)]
    return [(str(name), "" if value is None else str(value)) for name, value in fields.items()]


def minute(moment: str | None) -> str:
    """A moment to the minute, in UTC."""
    if not moment:
        return ""
    return f"{dt.datetime.fromisoformat(moment).astimezone(dt.UTC).isoformat(' ')[:_MINUTES]} UTC"


def standalone_page(inner: str, title: str, tag: str) -> Page:
    """A page that opens from a disk: styles stand in it, and its own policy lets nothing be fetched.

    Args:
        inner: Markup of the body, already escaped.
        title: Title of the page.
        tag: Language tag.
    """
    static = resources.files("web") / "static"
    style = "\n".join((static / name).read_text(encoding="utf-8") for name in _STYLES)
    theme = (static / "portal/theme.js").read_text(encoding="utf-8")
    head = Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">')
    page = Markup(
        '<!DOCTYPE html>\n<html lang="{tag}">\n<head>\n{head}<!--policy-->\n<title>{title} · geoservice</title>\n'
        '<style>{style}</style>\n<script>{theme}</script>\n</head>\n<body class="page">\n{inner}\n</body>\n</html>\n'
    )
    values = {"style": Markup(style), "theme": Markup(theme), "inner": Markup(inner)}  # noqa: S704 (our own files)
    made = with_nonce(page.format(tag=tag, head=head, title=title, **values))
    nonce = made.csp.partition("'nonce-")[2].partition("'")[0]
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:"
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return Page(made.html.replace("<!--policy-->", meta, 1), policy)
