"""Heights and the surface they are counted from: what a source states, what the layer wants, and what lies between.

Only one shift is known without registered data: Yellow Sea 1985 heights are 0.029 m smaller than Yellow Sea 1956
heights, because the origin in Qingdao was set to 72.260 m instead of 72.289 m. It is applied only on request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyproj

from ingest.notes import Notes
from layers.crs import horizontal, vertical_datum
from layers.errors import CrsRefused

ELLIPSOIDAL = "ellipsoidal"
"""Stands for heights above the ellipsoid, as three-dimensional geographic systems have them."""
NONE = "none"
_CONSTANT = {("EPSG:5736", "EPSG:5737"): -0.029, ("EPSG:5737", "EPSG:5736"): 0.029}
"""Metres to add, by datum of the source and of the layer."""
_GEOGRAPHIC_3D = 3

Otherwise = Literal["warn", "refuse", "convert"]


@dataclass(frozen=True)
class Heights:
    """What was decided about the heights of one source.

    Attributes:
        source: Vertical datum of the source: `EPSG:n`, a name, `ellipsoidal`, or None when nothing says it.
        layer: Vertical datum of the layer; None or `none` when it states none.
        shift: Metres to add to each height.
    """

    source: str | None
    layer: str | None
    shift: float = 0.0

    def facts(self) -> dict[str, str | float | None]:
        """The decision for the summary."""
        return {"source": self.source, "layer": self.layer, "shift_m": self.shift}


def stated(crs: pyproj.CRS | None) -> str | None:
    """The vertical datum that a CRS states; None when it is a flat one."""
    if crs is None:
        return None
    part = vertical_datum(crs)
    if part is None and len(horizontal(crs).axis_info) == _GEOGRAPHIC_3D:
        return ELLIPSOIDAL
    return part


def settle_heights(source: str | None, layer: str | None, otherwise: Otherwise, name: str, notes: Notes) -> Heights:
    """Compare the vertical datum of a source with that of its layer.

    Args:
        source: What the source or its mapping states.
        layer: What the layer wants.
        otherwise: What the mapping says to do when they differ.
        name: File name for sentences.
        notes: Where the finding goes.

    Raises:
        CrsRefused: When they differ and the mapping says `refuse`, or `convert` where no constant is known.
    """
    if layer in (None, NONE) or source == layer:
        return Heights(source, layer)
    shift = _CONSTANT.get((source or "", layer or ""))
    if otherwise == "convert" and shift is not None:
        message = f"Heights were brought from {source} to {layer}: {shift:+g} m each."
        notes.add("vertical-datum", "info", message, count=1)
        return Heights(source, layer, shift)
    what = "on no stated vertical datum" if source in (None, NONE) else f"on {source}"
    if otherwise != "warn":
        raise CrsRefused(
            f"Heights of {name} are {what}, but the layer has {layer}"
            + (", and no constant leads there." if otherwise == "convert" else "."),
            source=source,
            layer=layer,
        )
    message = f"Heights of the source are {what}, but the layer has {layer}; they were kept as they are."
    notes.add("vertical-datum", "warning", message, count=1)
    return Heights(source, layer)
