"""From the cells of a source to the cells that are stored: bands, validity, scale, recoding, palette."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window

from ingest.cog import RGB, Cells, Chunk, Storage, rows_per_chunk, with_data
from ingest.job import IngestPlan
from ingest.readers.raster_place import Grid
from layers.errors import SourceMismatch
from layers.model import RasterLayer
from layers.sources import OTHER

Mask = npt.NDArray[np.bool_]
_EXACT = 1 << 53
_WIDE = {"int8": "int16", "int64": "float64", "uint64": "float64"}
"""Cell types that not every reader of GeoTIFF knows, and those that replace them."""


@dataclass(frozen=True)
class BandSource:
    """Where one band of the layer comes from.

    Attributes:
        index: Band of the source, from 1. nodata: its value for "no data", in the source's own values.
        scale, offset: stored value = source value * scale + offset.
        recode: Source value -> stored value as text; None means no data.
    """

    index: int
    nodata: float | None
    scale: float = 1.0
    offset: float = 0.0
    recode: Mapping[str, str | None] | None = None

    @property
    def scaled(self) -> bool:
        """Whether values are computed anew."""
        return (self.scale, self.offset) != (1.0, 0.0)


@dataclass(frozen=True)
class Selection:
    """The bands that are read, and how.

    Attributes:
        bands: One entry per band of the layer; a single one when a palette is expanded to red, green, blue.
        masked: Whether the source has a mask or alpha band.
        classed: Whether cells are codes of a list.
        expand: Palette by which a single band becomes three.
        palette: Palette that is kept beside the codes.
    """

    bands: tuple[BandSource, ...]
    masked: bool
    classed: bool
    expand: dict[int, tuple[int, int, int, int]] | None = None
    palette: dict[int, tuple[int, int, int, int]] | None = None


def is_classed(layer: RasterLayer) -> bool:
    """Whether the cells of a layer are codes of a list."""
    return bool(layer.list or layer.style.classes)


def select(dataset: DatasetReader, plan: IngestPlan, layer: RasterLayer) -> Selection:
    """Choose the bands of a source for the bands of a layer.

    Raises:
        SourceMismatch: When the source has too few bands, or more than the layer and the mapping names none.
    """
    data_bands = [i for i, c in zip(dataset.indexes, dataset.colorinterp, strict=True) if c != ColorInterp.alpha]
    palette = _palette(dataset)
    masked = MaskFlags.per_dataset in dataset.mask_flag_enums[0] or len(data_bands) < dataset.count
    if palette and not plan.mapping.bands and len(data_bands) == 1 and len(layer.bands) == RGB:
        only = BandSource(1, _nodata(dataset, plan, layer, 0, 1, masked=masked))
        return Selection((only,), masked=masked, classed=False, expand=palette)
    indexes = _indexes(plan, layer, dataset.count, data_bands)
    bands = tuple(_band(dataset, plan, layer, i, index, masked=masked) for i, index in enumerate(indexes))
    kept = palette if is_classed(layer) and len(bands) == 1 and bands[0].recode is None else None
    return Selection(bands, masked=masked, classed=is_classed(layer), palette=kept)


def _palette(dataset: DatasetReader) -> dict[int, tuple[int, int, int, int]] | None:
    if dataset.colorinterp[0] != ColorInterp.palette:
        return None
    return dict(dataset.colormap(1))


def _indexes(plan: IngestPlan, layer: RasterLayer, count: int, data_bands: list[int]) -> tuple[int, ...]:
    wanted, chosen = len(layer.bands), plan.mapping.bands or tuple(data_bands)
    if len(chosen) != wanted or max(chosen) > count:
        named = f"; the mapping names {', '.join(map(str, chosen))}" if plan.mapping.bands else ""
        raise SourceMismatch(
            f"{plan.source.name} has {len(data_bands)} band(s), layer {layer.id} has {wanted} "
            f"({', '.join(b.name for b in layer.bands)}){named}. A mapping can name the bands to take.",
            bands=len(data_bands),
            expected=wanted,
        )
    return chosen


def _band(
    dataset: DatasetReader, plan: IngestPlan, layer: RasterLayer, place: int, index: int, *, masked: bool
) -> BandSource:
    name = layer.bands[place].name
    factor = plan.mapping.factor.get(name, 1.0)
    return BandSource(
        index=index,
        nodata=_nodata(dataset, plan, layer, place, index, masked=masked),
        scale=dataset.scales[index - 1] * factor,
        offset=dataset.offsets[index - 1] * factor,
        recode=plan.mapping.values.get(name),
    )


def _nodata(
    dataset: DatasetReader, plan: IngestPlan, layer: RasterLayer, place: int, index: int, *, masked: bool
) -> float | None:
    """What the file declares; else what its mapping says; else, where no mask says it, what the layer's band says."""
    declared: float | None = dataset.nodatavals[index - 1]
    if declared is None:
        declared = plan.mapping.nodata
    if declared is None and not masked:
        declared = layer.bands[place].nodata
    return declared


def decide(dataset: DatasetReader, layer: RasterLayer, selection: Selection, crs: CRS, grid: Grid) -> Storage:
    """How the selected cells are stored.

    Raises:
        SourceMismatch: When the cells are complex numbers.
    """
    dtype = _dtype(dataset, layer, selection)
    nodata = None if selection.expand else _stored_nodata(layer, selection, dtype)
    needs_mask = selection.masked or (selection.expand is not None and _has_holes(selection))
    return Storage(
        crs=crs,
        transform=grid.transform,
        width=dataset.width,
        height=dataset.height,
        count=RGB if selection.expand else len(selection.bands),
        dtype=dtype,
        nodata=nodata,
        masked=needs_mask and nodata is None,
        classed=selection.classed,
        palette=selection.palette if selection.palette and dtype in ("uint8", "uint16") else {},
        names=tuple(band.name for band in layer.bands),
        units=tuple(band.unit or "" for band in layer.bands),
    )


def _has_holes(selection: Selection) -> bool:
    clear = any(colour[3] == 0 for colour in (selection.expand or {}).values())
    return clear or selection.bands[0].nodata is not None


def _dtype(dataset: DatasetReader, layer: RasterLayer, selection: Selection) -> str:
    found = np.result_type(*(np.dtype(dataset.dtypes[b.index - 1]) for b in selection.bands))
    if found.kind == "c":
        raise SourceMismatch(f"Layer {layer.id} stores real numbers; the raster holds complex ones.")
    if selection.expand:
        return "uint8"
    if selection.classed and (found.kind == "f" or selection.bands[0].recode is not None):
        return "int32"
    summed = layer.cog.overviews == "sum" and found.kind != "f"
    if summed or any(b.scaled for b in selection.bands):
        return "float32" if found.itemsize < 4 or found == np.float32 else "float64"  # noqa: PLR2004 - 24 bits fit
    return _WIDE.get(found.name, "float32" if found == np.float16 else found.name)


def _stored_nodata(layer: RasterLayer, selection: Selection, dtype: str) -> float | None:
    kind = np.dtype(dtype)
    sources = {b.nodata for b in selection.bands if b.nodata is not None and not b.scaled}
    if kind.kind == "f":
        # NaN cannot be mistaken for a value; a number is kept only where the source itself uses it for every band.
        same = len(sources) == 1 and not any(b.scaled or b.nodata is None for b in selection.bands)
        return next(iter(sources)) if same else math.nan
    fitting = [n for n in sources if _fits(n, kind)]
    if fitting:
        return fitting[0]
    if kind == np.int32 and selection.classed:
        own = layer.bands[0].nodata
        return own if own is not None and _fits(own, kind) else float(np.iinfo(np.int32).min)
    return None


def _fits(value: float, kind: np.dtype[Any]) -> bool:
    info = np.iinfo(kind)
    return math.isfinite(value) and value == int(value) and info.min <= value <= info.max


def chunks(dataset: DatasetReader, selection: Selection, storage: Storage, grid: Grid) -> Iterator[Chunk]:
    """The cells of a source, top to bottom, as they will be stored.

    Raises:
        SourceMismatch: When a code is no whole number, or a valid cell holds the value that means no data.
    """
    step = rows_per_chunk(storage.width, storage.count, dataset.block_shapes[0][0])
    for row in range(0, storage.height, step):
        rows = min(step, storage.height - row)
        top = storage.height - row - rows if grid.south_up else row
        window = Window(0, top, storage.width, rows)
        raw = dataset.read([b.index for b in selection.bands], window=window)
        inside = (
            dataset.read_masks(1, window=window) > 0 if selection.masked else np.ones(raw.shape[1:], dtype=np.bool_)
        )
        if grid.south_up:
            raw, inside = raw[:, ::-1, :], inside[::-1, :]
        if grid.turn:
            raw, inside = np.roll(raw, -grid.turn, axis=-1), np.roll(inside, -grid.turn, axis=-1)
        yield _chunk(row, raw, inside, selection, storage)


def _chunk(row: int, raw: Cells, inside: Mask, selection: Selection, storage: Storage) -> Chunk:
    if selection.expand is not None:
        return _expanded(row, raw[0], inside & with_data(raw[0], selection.bands[0].nodata), selection.expand)
    values = np.empty((storage.count, *inside.shape), dtype=storage.dtype)
    valid = np.empty(values.shape, dtype=np.bool_)
    for place, band in enumerate(selection.bands):
        values[place], valid[place] = _converted(raw[place], inside, band, storage)
    return Chunk(row, values, valid)


def _converted(raw: Cells, inside: Mask, band: BandSource, storage: Storage) -> tuple[Cells, Mask]:
    valid = inside & with_data(raw, band.nodata)
    if raw.dtype.kind in "iu" and storage.dtype == "float64":
        _refuse_inexact(raw, valid)
    if band.scaled:
        raw = raw.astype(np.float64) * band.scale + band.offset
    if storage.classed:
        _refuse_fractions(raw, valid)
        if band.recode is not None:
            raw, valid = _recoded(raw, valid, band.recode)
    fill = 0 if storage.nodata is None else storage.nodata
    full = bool(valid.all())
    values = (raw if full else np.where(valid, raw, 0)).astype(storage.dtype)
    if storage.nodata is not None and _holds(values, valid, fill):
        raise SourceMismatch(
            f"Valid cells hold {fill:g}, the value that means no data in the stored raster; "
            "the source's own no-data value should be stated in its mapping.",
            nodata=fill,
        )
    if not full:
        values[~valid] = fill
    return values, valid


def _holds(values: Cells, valid: Mask, fill: float) -> bool:
    """Whether a valid cell holds the value that means no data; "not a number" equals nothing."""
    return not math.isnan(fill) and bool((valid & (values == values.dtype.type(fill))).any())


def _refuse_inexact(raw: Cells, valid: Mask) -> None:
    if raw.dtype.name not in ("int64", "uint64"):
        return
    seen = raw[valid]
    if seen.size and (int(seen.max()) > _EXACT or int(seen.min()) < -_EXACT):
        raise SourceMismatch(
            "Cells hold whole numbers beyond 2^53; they are stored as decimals of double precision, which would round "
            "them."
        )


def _refuse_fractions(raw: Cells, valid: Mask) -> None:
    if raw.dtype.kind == "f" and bool((raw[valid] != np.floor(raw[valid])).any()):
        raise SourceMismatch("The cells of a classified raster are whole numbers; this source holds fractions.")


def _recoded(raw: Cells, valid: Mask, table: Mapping[str, str | None]) -> tuple[Cells, Mask]:
    found, places = np.unique(raw, return_inverse=True)
    targets = [_target(int(value), table) for value in found]
    codes = np.array([0 if t is None else t for t in targets], dtype=np.int32)
    kept = np.array([t is not None for t in targets], dtype=np.bool_)
    shape = raw.shape
    return codes[places].reshape(shape), valid & kept[places].reshape(shape)


def _target(value: int, table: Mapping[str, str | None]) -> int | None:
    text = table.get(str(value), table.get(OTHER, str(value)))
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise SourceMismatch(f"The mapping turns cell value {value} into {text!r}, which is no whole number.") from None


def _expanded(row: int, raw: Cells, valid: Mask, palette: Mapping[int, tuple[int, int, int, int]]) -> Chunk:
    table = np.zeros((int(np.iinfo(raw.dtype).max) + 1, 4), dtype=np.uint8)
    for value, colour in palette.items():
        table[value] = colour
    colours = table[raw]
    valid = valid & (colours[..., 3] > 0)
    values = np.where(valid, np.moveaxis(colours[..., :3], -1, 0), 0).astype(np.uint8)
    return Chunk(row, values, np.broadcast_to(valid, values.shape))
