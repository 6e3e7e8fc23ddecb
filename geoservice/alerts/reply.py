"""The reply to an impact: the wording of an alert with the zone's classes and its four key figures. Pure.

It becomes a draft like any other; nothing here lets anything go.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from geoservice.alerts.errors import AlertRefused
from geoservice.alerts.referred import Referred, require_open
from geoservice.alerts.wording import Wording
from layers.cap import Category, Certainty, Info, Moment, Named, Severity, Urgency
from layers.hazard import HazardZone
from layers.impact import Figure, ImpactAnswer, PeopleBy, Ways
from layers.model import Text

Words = Annotated[str, Field(min_length=1, max_length=4_000)]
_STATUS: Mapping[str, str] = {"actual": "Actual", "exercise": "Exercise", "test": "Test"}
_METRES_PER_KM = 1000.0
_UNKNOWN = Text(zh="无数据", en="no data")


class Bilingual(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zh: Words
    en: Words


class Reply(BaseModel):
    """What whoever drafts an alert from an impact adds to it; the rest follows from the impact.

    Attributes:
        status: As in CAP. A zone of an exercise or a test never makes an Actual alert.
        severity: Of classes whose codes are no severities of CAP.
        area_desc: What the zone is called; its own name when absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    status: Literal["Actual", "Exercise", "Test"]
    category: Annotated[tuple[Category, ...], Field(min_length=1)]
    event: Bilingual
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    expires: Moment | None = None
    instruction: Bilingual | None = None
    area_desc: Words | None = None


def wording_of(answer: ImpactAnswer, zone: Mapping[str, Any] | HazardZone, reply: Reply) -> Wording:
    """The wording of a draft.

    Args:
        answer: The impact as whoever will read the alert may see it.
        zone: A hazard zone, or an area as GeoJSON (CRS84).
        reply: What is added.

    Raises:
        AlertRefused: When a zone that is not meant in earnest would make an Actual alert.
    """
    meant = _STATUS[answer.zone.status]
    if meant not in ("Actual", reply.status):
        raise AlertRefused(f"The zone is one of {meant}; a draft of the status {reply.status} would not say so.")
    told = dict(zone) if not isinstance(zone, HazardZone) else _classes(zone)
    return Wording(
        status=reply.status,
        source=f"impact {digest_of(answer)[:16]}",
        info=tuple(_info(answer, reply, language) for language in ("zh-CN", "en-US")),
        zone=told,
        area_desc=reply.area_desc,
    )


def answering(wording: Wording, report: str, digest: str | None, alerts: Sequence[Referred]) -> Wording:
    """The wording of a draft that answers alerts with a report.

    Args:
        wording: What it says.
        report: Id of the report.
        digest: SHA-256 of its answer; None where the answer is for fewer readers: by it one could
            try out guesses of what the answer says.
        alerts: What it is about. Our own ones are updated; others nobody but their senders may change, so that they are
            named in the note of a new alert.

    Raises:
        AlertRefused: When one of the alerts is for fewer readers than the draft.
    """
    for one in alerts:
        require_open(one.id, one.clearance, wording.scope)
    ours = tuple(one.id for one in alerts if one.ours)
    evidence = f"Report {report}." if digest is None else f"Report {report}, SHA-256 of its answer {digest}."
    told = [evidence, *(f"On the alert {one.written}." for one in alerts)]
    kind: Literal["Alert", "Update"] = "Update" if ours else "Alert"
    return wording.model_copy(
        update={"msg_type": kind, "about": ours, "source": f"report {report}", "note": " ".join(told)}
    )


def digest_of(answer: ImpactAnswer) -> str:
    """SHA-256 of the bytes of an answer, by which a draft says from which impact it came."""
    body = answer.model_dump(mode="json", exclude_none=True)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _classes(zone: HazardZone) -> dict[str, Any]:
    # An alert warns of the best estimate; its bounds are figures and no areas.
    return zone.model_copy(update={"low": None, "high": None}).model_dump(mode="json", exclude_none=True)


def _info(answer: ImpactAnswer, reply: Reply, language: str) -> Info:
    tongue: Literal["zh", "en"] = "zh" if language.startswith("zh") else "en"
    event = getattr(reply.event, tongue)
    instruction = getattr(reply.instruction, tongue) if reply.instruction is not None else None
    area = f"{answer.zone.area_m2 / 1e6:.1f} km²"
    headline = f"{event}：影响范围 {area}" if tongue == "zh" else f"{event}: {area} concerned"
    figures = (
        f"{getattr(name, tongue)}{'：' if tongue == 'zh' else ': '}{value}" for name, value in _told(answer, tongue)
    )
    return Info(
        language=language,
        category=reply.category,
        event=event,
        urgency=reply.urgency,
        severity=reply.severity,
        certainty=reply.certainty,
        expires=reply.expires,
        headline=headline,
        description=("；" if tongue == "zh" else "; ").join(figures) + ("。" if tongue == "zh" else "."),
        instruction=instruction,
        parameter=tuple(_parameters(answer)),
    )


_PEOPLE = Text(zh="受影响人口", en="People concerned")
_BUILDINGS = Text(zh="受影响建筑", en="Buildings concerned")
_ROADS = Text(zh="中断道路（公里）", en="Roads cut (km)")
_ISOLATED = Text(zh="孤立居民点", en="Settlements cut off")


def _told(answer: ImpactAnswer, tongue: Literal["zh", "en"]) -> Iterator[tuple[Text, str]]:
    """The four key figures with their bounds; what has no data says so, and is no zero."""
    people, ways = answer.people, _ways(answer)
    yield _PEOPLE, _span(people, 1.0, 0, tongue)
    yield _BUILDINGS, _span(_total(answer, "building"), 1.0, 0, tongue)
    yield _ROADS, _span(_total(answer, "road"), _METRES_PER_KM, 1, tongue)
    yield _ISOLATED, getattr(_UNKNOWN, tongue) if ways is None else str(ways.isolated)


def _span(figure: Figure | PeopleBy | None, unit: float, decimals: int, tongue: Literal["zh", "en"]) -> str:
    if figure is None:
        return str(getattr(_UNKNOWN, tongue))
    best = f"{figure.value / unit:,.{decimals}f}"
    if figure.low is None or figure.high is None:
        return best
    low, high = (f"{value / unit:,.{decimals}f}" for value in (figure.low, figure.high))
    return f"{best}（{low}–{high}）" if tongue == "zh" else f"{best} ({low} to {high})"


def _parameters(answer: ImpactAnswer) -> Iterator[Named]:
    """The same figures for machines, as whole as they are, and the impact that they come from."""
    figures = {
        "people": answer.people,
        "buildings": _total(answer, "building"),
        "roads_cut_m": _total(answer, "road"),
    }
    for name, figure in figures.items():
        for bound in ("value", "low", "high"):
            value = getattr(figure, bound, None)
            if value is not None:
                yield Named(value_name=f"impact.{name}" + ("" if bound == "value" else f".{bound}"), value=repr(value))
    ways = _ways(answer)
    if ways is not None:
        yield Named(value_name="impact.isolated", value=str(ways.isolated))
    yield Named(value_name="impact.digest", value=digest_of(answer))


def _total(answer: ImpactAnswer, role: str) -> Figure | None:
    """The total of the first layer of a role that has data here."""
    found = (one.total for one in answer.sections if one.role == role and one.status == "ok")
    return next((total for total in found if total is not None), None)


def _ways(answer: ImpactAnswer) -> Ways | None:
    return answer.ways if answer.ways is not None and answer.ways.status == "ok" else None
