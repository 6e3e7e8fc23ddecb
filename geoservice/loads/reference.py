"""On which coordinate reference system a source was read and how that was decided, from the facts of a kept report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from geoservice.loads.document import ReferenceFacts, ZoneFacts
from ingest.job import ReadSummary
from layers.gauss import Zone

DECISION, ZONES = "crs_decision", "zones"
"""Facts of a summary that are told here."""


def reference_facts(summary: ReadSummary, *, counted: bool) -> ReferenceFacts | None:
    """What the reader decided; None for sources without coordinates, and for what is no decision.

    Args:
        summary: Of a load; a confined reader wrote it, so nothing in it is taken for granted.
        counted: Whether zones may be named with their numbers of rows.
    """
    found = summary.facts.get(DECISION)
    if not isinstance(found, Mapping):
        return None
    try:
        decision = ReferenceFacts.model_validate({**found, "zones": ()})
    except ValidationError:
        return None
    zones = _zones(summary.facts.get(ZONES), decision) if counted else ()
    return decision.model_copy(update={"zones": zones})


def _zones(found: Any, decision: ReferenceFacts) -> tuple[ZoneFacts, ...]:
    """Zones whose numbers the rows carried, or the declared one."""
    if not isinstance(found, Mapping):
        return ()
    return tuple(zone for number, rows in found.items() if (zone := _zone(number, rows, decision)) is not None)


def _zone(number: Any, rows: Any, decision: ReferenceFacts) -> ZoneFacts | None:
    try:
        zone = Zone(int(number))
        return ZoneFacts(
            number=zone.number, width=zone.width, meridian=zone.meridian, rows=rows, crs=_code(zone, decision)
        )
    except (ValueError, TypeError):
        return None


def _code(zone: Zone, decision: ReferenceFacts) -> str | None:
    """The declared CRS in its own zone; in another the form with zone numbers, because by its number it was found."""
    if decision.datum is None:
        return None
    forms = [f"EPSG:{zone.code(decision.datum, prefixed=prefixed)}" for prefixed in (True, False)]
    return decision.crs if decision.crs in forms else forms[0]
