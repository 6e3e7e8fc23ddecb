"""The clearance of what somebody writes: theirs, or a lower one that they choose."""

from __future__ import annotations

from layers.access import Clearance, Principal
from layers.errors import BadParameter


def level_for(principal: Principal, wanted: str | None, least: Clearance = Clearance.PUBLIC) -> Clearance:
    """The clearance that something is written with.

    Args:
        principal: Who writes it.
        wanted: Name of the clearance that is wanted; None for that of who writes it.
        least: The lowest one that may see what it belongs to, or was made from.

    Raises:
        BadParameter: When the wanted one is none, above the writer's, or below `least`.
    """
    if wanted is None:
        return principal.clearance
    try:
        chosen = Clearance.parse(wanted)
    except ValueError as error:
        raise BadParameter(f"{str(error)[:200]}.", parameter="clearance") from None
    if not least <= chosen <= principal.clearance:
        raise BadParameter(
            f"This can be written from {least.label} to {principal.clearance.label}: not below what it belongs to or "
            "was made from, and not above who writes it.",
            parameter="clearance",
        )
    return chosen
