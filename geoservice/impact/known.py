"""Where a layer is known to have data, now or at the instant of the question."""

from __future__ import annotations

from geoservice.features.extent_then import extent_of, extent_statement, stands_since
from geoservice.features.state import LayerState
from geoservice.impact.fetch import Ground
from layers.access import Decision
from layers.extent import Extent
from layers.model import VectorLayer


async def known_extent(ground: Ground, layer: VectorLayer, decision: Decision, state: LayerState) -> Extent | None:
    """The box of all rows of a layer that the asker may see, as they are or were; None where there are none.

    Args:
        ground: Where to read, and as of when.
        layer: The layer; the decision allowed it.
        decision: Rows that the asker may see.
        state: What is known of the layer now, for the same asker.
    """
    if stands_since(state.committed, ground.as_of):
        return state.extent
    shape, clearance = ("extent then", layer.name), decision.rule.max_clearance
    rows = await ground.rows(shape, lambda: extent_statement(layer, decision.rule), clearance, {})
    return extent_of(rows[0])
