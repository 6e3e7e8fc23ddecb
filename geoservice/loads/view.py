"""Who may know what of a load: pure decisions on top of `layers.access.decide`.

A report can say more than the layer shows: values of refused rows, places, counts that include rows above a reader.
"""

from __future__ import annotations

from enum import IntEnum

from layers.access import Clearance, Principal, decide
from layers.model import Layer


class View(IntEnum):
    """How much of a load is shown.

    Attributes:
        NOTHING: Not even that it happened.
        OUTCOME: That it made an edition, from which source, and what open values look like.
        COUNTS: Also how many rows and findings; only where no row lies above the reader.
        FULL: Also values, places and sentences of findings, quarantined rows, repairs.
    """

    NOTHING = 0
    OUTCOME = 1
    COUNTS = 2
    FULL = 3

    @property
    def label(self) -> str:
        """Lower-case name, as documents state it."""
        return self.name.lower()


def highest_clearance(layer: Layer) -> Clearance:
    """The highest clearance that anything in a source of this layer may have."""
    levels = [layer.clearance, *(a.effective_clearance(layer) for a in layer.attributes.values())]
    if _grades_rows(layer):
        levels.append(max(Clearance))
    return max(levels)


def view_of(principal: Principal, layer: Layer, outcome: str, *, brought: bool = False) -> View:
    """How much a principal may know of one load.

    Everything: who may load the layer and is cleared for all that a source of it may hold, or brought the file
    themselves. To have named a file of the server or a remote source is not to have seen it. Others see loads that
    made an edition; counts only when no row can lie above them.

    Args:
        principal: Who asks.
        layer: The layer that was loaded.
        outcome: `loaded`, `unchanged`, `refused`, `failed` or `dry-run`.
        brought: Whether the principal has sent the source as an upload.
    """
    if not decide(principal, "read", layer).allowed:
        return View.NOTHING
    if may_load(principal, layer):
        if brought or principal.clearance >= highest_clearance(layer):
            return View.FULL
    elif outcome != "loaded":
        return View.NOTHING
    return counts_view(principal, layer)


def counts_view(principal: Principal, layer: Layer) -> View:
    """Whether a reader may know numbers of rows: only where no row can lie above them."""
    above = _grades_rows(layer) and principal.clearance < max(Clearance)
    return View.OUTCOME if above else View.COUNTS


def may_load(principal: Principal, layer: Layer) -> bool:
    """Whether a principal may load a layer; they also see loads that made no edition."""
    return decide(principal, "load", layer).allowed


def _grades_rows(layer: Layer) -> bool:
    return getattr(layer, "row_clearance", None) is not None
