"""Several assets on one frame: the first lies on top, and where it has no data the next one shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from layers.asset import Asset
from layers.model import RasterLayer
from tiles.frame import Frame
from tiles.warp import Wanted, read_frame

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


def stack(
    assets: Sequence[Asset], layer: RasterLayer, frame: Frame, bands: tuple[int, ...]
) -> tuple[Values, Mask] | None:
    """Cells of a layer on the pixels of a frame.

    Sums (overviews `sum`) become the mean of the cells they were made of, so that a value means the same at every
    zoom level. Codes and counts are never mixed with their neighbours.

    Args:
        assets: COGs of the layer, the topmost first. Those beside the frame are not opened.
        layer: What the cells are.
        frame: The pixels.
        bands: Bands from 1.

    Returns:
        Values (band, row, column) and which pixels have data; None when none has.

    Raises:
        AssetUnavailable: When a file that the frame needs is missing or damaged.
    """
    values: Values | None = None
    valid = np.zeros((frame.height, frame.width), dtype=np.bool_)
    summed = layer.cog.overviews == "sum"
    exact = summed or layer.style.classes is not None or layer.list is not None
    wanted = Wanted(bands, mixed=not exact, any_band=layer.style.rgb is not None)
    box = frame.degrees()
    for asset in assets:
        if not asset.meets(box):
            continue
        read, has_data, share = read_frame(asset, frame, wanted)
        if summed and share != 1:
            read = read / share
        fresh = has_data & ~valid
        if not fresh.any():
            continue
        if values is None:
            values = read
        else:
            kind = np.result_type(values.dtype, read.dtype)
            values = np.where(fresh, read.astype(kind), values.astype(kind))
        valid |= fresh
        if valid.all():
            break
    return None if values is None else (values, valid)
