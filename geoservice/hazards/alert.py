"""Alerts of the collection cap_alert as zones: areas by severity, from onset to expiry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from geoservice.hazards.areas import Area, areas_of
from geoservice.hazards.errors import EmptyZone
from geoservice.hazards.method import Estimates, Feature, FeaturesWanted, Found, HazardMethod, Parameters, Wanted
from geoservice.hazards.shapes import Grade, merged, ranked
from layers.errors import UnknownFeature
from layers.model import Text

ALERTS, CODES = "cap_alert", "cap-severity@1.2"
SEVERITIES: Mapping[str, Text] = {
    "Extreme": Text(zh="特别严重", en="Extreme"),
    "Severe": Text(zh="严重", en="Severe"),
    "Moderate": Text(zh="较重", en="Moderate"),
    "Minor": Text(zh="一般", en="Minor"),
    "Unknown": Text(zh="未知", en="Unknown"),
}
"""Severities of CAP 1.2, the worst first; what has none is unknown."""
READ = ("severity", "status", "msg_type", "language", "headline", "sent", "onset", "effective", "expires")
Status = Literal["actual", "exercise", "test"]
_STATUS: Mapping[str, Status] = {"Actual": "actual", "Exercise": "exercise"}


class AlertParameters(Parameters):
    """An alert by its identifier."""

    identifier: str = Field(min_length=1, max_length=500, description="Identifier of the alert.")


def _wanted(told: AlertParameters, found: Found) -> Mapping[str, Wanted]:
    return {"areas": FeaturesWanted(ALERTS, READ, equal=("identifier", told.identifier))}


def _estimate(told: AlertParameters, found: Found) -> Estimates:
    rows = found.features["areas"]
    if not rows:
        raise UnknownFeature(f"There is no alert {told.identifier[:80]!r}.", origin=f"alert:{told.identifier}")
    if any(row.attributes.get("msg_type") == "Cancel" for row in rows):
        raise EmptyZone("This message cancels an alert; it has no zone.", where="identifier")
    areas = areas_of(rows)
    graded = [
        (Grade(code, label), merged(row.geometry for row in areas if _severity(row) == code))
        for code, label in SEVERITIES.items()
    ]
    ends = _times(rows, "expires")
    return Estimates(
        best=ranked(graded),
        nothing=Text(
            zh="该预警的影响区只以代码给出，没有图形。",
            en="The areas of this alert are given by codes only; there is nothing drawn.",
        ),
        codes=CODES,
        label=_headline(rows),
        start=min(_times(rows, "onset") or _times(rows, "effective") or _times(rows, "sent"), default=None),
        end=max(ends, default=None) if len(ends) == len(rows) else None,
        status=_status(rows),
        resolved={"sent": [t.isoformat() for t in sorted(set(_times(rows, "sent")))]},
    )


def _severity(row: Area) -> str:
    found = str(row.attributes.get("severity"))
    return found if found in SEVERITIES else "Unknown"


def _times(rows: Sequence[Feature], name: str) -> list[dt.datetime]:
    return [value for row in rows if isinstance(value := row.attributes.get(name), dt.datetime)]


def _status(rows: Sequence[Feature]) -> Status:
    """Whether all of it is meant in earnest; what does not say so is not."""
    told: set[Any] = {_STATUS.get(str(row.attributes.get("status")), "test") for row in rows}
    return next((one for one in ("test", "exercise") if one in told), "actual")


def _headline(rows: Sequence[Feature]) -> Text | None:
    by_language = {str(row.attributes.get("language") or "")[:2]: row.attributes.get("headline") for row in rows}
    first = next((headline for headline in by_language.values() if headline), None)
    if first is None:
        return None
    return Text(zh=by_language.get("zh") or first, en=by_language.get("en") or first)


ALERT = HazardMethod(
    id="alert",
    version="1",
    kind="alert",
    title=Text(zh="预警影响区", en="Areas of an alert"),
    abstract=Text(zh="预警（CAP）的影响区，按严重程度分级。", en="The areas of an alert (CAP), by severity."),
    source="Common Alerting Protocol 1.2 (OASIS): the areas as the sender drew them.",
    uncertainty=Text(zh="无；确定性见预警本身。", en="None; the alert itself says how certain it is."),
    parameters=AlertParameters,
    wanted=_wanted,
    estimate=_estimate,
)
