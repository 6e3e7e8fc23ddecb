"""How large the zone of an impact may be: how much is read at all, and how much is answered while somebody waits."""

from __future__ import annotations

from geoservice.house import House
from geoservice.impact.asked import ImpactAsked
from geoservice.impact.zoned import Zoned
from geoservice.reports.manifest import Kind
from layers.access import Principal
from layers.errors import TooLarge

SQUARE_METRES_PER_KM2 = 1e6


def most_vertices(house: House, asker: Principal, kind: Kind = "impact") -> int:
    """Most vertices that the zone of a question may have.

    Args:
        house: The service.
        asker: Who asks; those without a key can have no job and so no zone that only a job answers.
        kind: What is asked. A red line is a drawing, and is bounded as all drawings are.
    """
    settings = house.settings
    if kind != "impact":
        return settings.max_zone_vertices
    if asker.anonymous and settings.impact_max_vertices is not None:
        return min(settings.hazard_max_vertices, settings.impact_max_vertices)
    return settings.hazard_max_vertices


def too_large(house: House, asked: ImpactAsked) -> bool:
    """Whether the zone of a question is larger than what is answered at once."""
    return isinstance(asked.zone, Zoned) and _excess(house, asked.zone) is not None


def require_answerable(house: House, zone: Zoned) -> None:
    """Refuse a zone that is too large to be answered while somebody waits.

    Raises:
        TooLarge: With the largest one, and what to do.
    """
    excess = _excess(house, zone)
    if excess is not None:
        told, most = excess
        raise TooLarge(
            f"The zone {told}, of which the impact is not answered at once. Ask about parts of it, or let a job do it: "
            "with an API key POST /impact makes one, and impact-compare is a process.",
            limit=most,
        )


def _excess(house: House, zone: Zoned) -> tuple[str, float] | None:
    """In which way a zone is too large to be answered at once, and the limit."""
    corners, area = house.settings.impact_max_vertices, house.settings.impact_max_km2
    if corners is not None and zone.vertices > corners:
        return f"has more than {corners:,} vertices", corners
    if area is not None and zone.exceeds(area * SQUARE_METRES_PER_KM2):
        return f"is larger than {area:,.0f} km2", area
    return None
