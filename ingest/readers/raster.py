"""Rasters, read inside the confined child: opened, checked against the layer, and rewritten as COG.

Cells stay in the CRS of the source. What a source says wrongly or not at all (CRS, no-data value, bands) comes from
its mapping; everything else that does not fit is refused with a sentence.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import pyproj
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader

from ingest.cog import Storage, publish, read_plain, write_plain
from ingest.footprint import footprint
from ingest.job import IngestPlan, ReadSummary
from ingest.notes import Notes
from ingest.raster_drivers import RASTER_DRIVER, strangers
from ingest.raster_facts import COG_NAME, FACTS_KEY, RasterFacts
from ingest.readers.cells import Selection, chunks, decide, is_classed, select
from ingest.tally import MAX_CLASSES, Tally
from ingest.wire import error_to_json, plan_from_json
from layers.crs import describe, parse_crs, storage_transformer
from layers.errors import CrsRefused, GeoError, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer

_BLOCK_SHARE = 4
_PLAIN_NAME = "plain.tif"
_CACHE_BYTES = 256 << 20
_LATITUDE_LIMIT = 90.5
_SHOWN = 12


def deliver(plan_json: dict[str, Any], file: str, rows: IO[bytes]) -> dict[str, Any]:
    """Rewrite a raster source as COG in the directory of the source.

    Args:
        plan_json: The plan as `ingest.wire.plan_to_json` wrote it.
        file: The source in the private directory.
        rows: Not used: a raster has no rows.

    Returns:
        `{"summary": ...}`, or the error in the form of `ingest.wire.error_to_json`.
    """
    plan = plan_from_json(plan_json)
    name = plan.source.name
    try:
        _refuse_strangers()
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES, GDAL_NUM_THREADS="1"):
            return {"summary": convert(plan, Path(file), Path(file).parent).model_dump(mode="json")}
    except GeoError as error:
        return error_to_json(error)
    except (RasterioError, CPLE_BaseError):
        return error_to_json(SourceUnreadable(f"{name} is damaged: not all of its cells can be read.", source=name))


def convert(plan: IngestPlan, file: Path, directory: Path) -> ReadSummary:
    """Check a raster and write it to `directory` as `COG_NAME`.

    Raises:
        SourceUnreadable: When it is no GeoTIFF, is damaged, claims more cells than allowed, or holds no data.
        SourceMismatch: When its bands, georeference or values do not fit the layer.
        CrsRefused: When its CRS is missing or has no safe way into storage.
    """
    layer = _raster_layer(plan)
    notes = Notes()
    with _open(file, plan) as dataset:
        refuse_size(dataset, plan)
        if dataset.subdatasets:
            message = "The file holds several images; the first one is loaded, the others are not."
            notes.add("further-images", "warning", message, count=len(dataset.subdatasets) - 1)
        transform, south_up = _grid(dataset, plan)
        crs, written = _crs(dataset, plan)
        outline = footprint(crs, transform, dataset.width, dataset.height)
        selection = select(dataset, plan, layer)
        storage = decide(dataset, layer, selection, written, transform)
        plain = directory / _PLAIN_NAME
        tallies = _write(plain, dataset, layer, (selection, storage), south_up=south_up)
    _refuse_empty(tallies, plan)
    _count_classes(plain, storage, tallies)
    publish(plain, directory / COG_NAME, storage, layer.cog)
    _note_values(tallies, plan, layer, notes)
    if selection.palette is None and selection.expand is None and not is_classed(layer):
        _note_palette(file, notes)
    facts = RasterFacts(
        crs=describe(crs),
        width=storage.width,
        height=storage.height,
        footprint=outline.wkb_hex,
        bands=tuple(t.figures(storage.dtype, storage.nodata) for t in tallies),
    )
    return _summary(facts, crs, notes)


def _refuse_strangers() -> None:
    found = strangers()
    if found:
        raise SourceUnreadable(f"The confined reader found forbidden GDAL drivers: {', '.join(found[:_SHOWN])}.")


def _raster_layer(plan: IngestPlan) -> RasterLayer:
    if not isinstance(plan.layer, RasterLayer):
        raise SourceMismatch(
            f"Layer {plan.layer.id} stores rows; a raster cannot be read into it.", layer=plan.layer.id
        )
    return plan.layer


def _open(file: Path, plan: IngestPlan) -> DatasetReader:
    try:
        return rasterio.open(file, driver=RASTER_DRIVER)
    except (RasterioError, CPLE_BaseError) as error:
        name = plan.source.name
        raise SourceUnreadable(f"{name} cannot be opened as a GeoTIFF.", source=name, expected="GeoTIFF") from error


def refuse_size(dataset: DatasetReader, plan: IngestPlan) -> None:
    """Refuse a raster whose header claims more than the limits allow, before a cell is read.

    Raises:
        SourceUnreadable: When the cells, or one block of them, would not fit.
    """
    width = max(np.dtype(d).itemsize for d in dataset.dtypes)
    claimed = dataset.width * dataset.height * dataset.count * width
    block = max(h * w for h, w in dataset.block_shapes) * width
    block *= dataset.count if dataset.interleaving is not None and dataset.interleaving.name == "pixel" else 1
    for what, size, limit in (
        ("cells", claimed, plan.limits.unpacked),
        ("one block of cells", block, plan.limits.memory // _BLOCK_SHARE),
    ):
        if size > limit:
            raise SourceUnreadable(
                f"{plan.source.name} claims {dataset.width} x {dataset.height} cells in {dataset.count} band(s); "
                f"{what} would take {size >> 20} MiB, more than the {limit >> 20} MiB allowed.",
                width=dataset.width,
                height=dataset.height,
                limit=limit,
            )


def _grid(dataset: DatasetReader, plan: IngestPlan) -> tuple[Affine, bool]:
    """The transform with north up, and whether the rows of the source run from south to north."""
    found, name = dataset.transform, plan.source.name
    if found.is_identity or dataset.gcps[0]:
        raise SourceMismatch(f"{name} is not georeferenced: it has no grid of cells with an origin and a cell size.")
    if found.b != 0 or found.d != 0 or found.a <= 0 or found.e == 0:
        raise SourceMismatch(f"{name} is rotated or mirrored; cells must run along the axes of its CRS.")
    if found.e < 0:
        return found, False
    return Affine(found.a, 0.0, found.c, 0.0, -found.e, found.f + found.e * dataset.height), True


def _crs(dataset: DatasetReader, plan: IngestPlan) -> tuple[pyproj.CRS, CRS]:
    """The CRS for our own arithmetic, and the same one as the file will state it."""
    crs = _stated_crs(dataset, plan)
    storage_transformer(crs)
    if crs.is_geographic:
        _refuse_latitudes(dataset, plan)
    return crs, CRS.from_wkt(crs.to_wkt("WKT2_2019"))


def _stated_crs(dataset: DatasetReader, plan: IngestPlan) -> pyproj.CRS:
    mapping, name = plan.mapping, plan.source.name
    if mapping.override_crs:
        return parse_crs(mapping.override_crs)
    try:
        found = dataset.crs
        if found:
            return parse_crs(found.to_wkt(version="WKT2_2019"))
    except CRSError as error:
        raise CrsRefused(f"The coordinate reference system of {name} cannot be understood.", source=name) from error
    if mapping.crs:
        return parse_crs(mapping.crs)
    raise CrsRefused(
        f"{name} states no coordinate reference system; the mapping of the source must name one (crs: EPSG:n).",
        source=name,
    )


def _refuse_latitudes(dataset: DatasetReader, plan: IngestPlan) -> None:
    south, north = sorted((dataset.bounds.bottom, dataset.bounds.top))
    if south < -_LATITUDE_LIMIT or north > _LATITUDE_LIMIT:
        raise SourceMismatch(
            f"{plan.source.name} states degrees, but spans latitudes {south:g} to {north:g}; "
            "its CRS or its axis order is wrong.",
            south=south,
            north=north,
        )


def _write(
    plain: Path, dataset: DatasetReader, layer: RasterLayer, how: tuple[Selection, Storage], *, south_up: bool
) -> list[Tally]:
    selection, storage = how
    tallies = [Tally(band, storage.classed) for band in layer.bands]

    def counted() -> Any:
        for chunk in chunks(dataset, selection, storage, south_up=south_up):
            for place, tally in enumerate(tallies):
                tally.add(chunk.values[place][chunk.valid[place]], chunk.valid[place].size)
            _refuse_many_classes(tallies, layer)
            yield chunk

    write_plain(plain, storage, counted())
    return tallies


def _refuse_many_classes(tallies: list[Tally], layer: RasterLayer) -> None:
    if any(len(t.classes) > MAX_CLASSES for t in tallies):
        raise SourceMismatch(
            f"The source holds more than {MAX_CLASSES} values; layer {layer.id} holds codes of a list."
        )


def _refuse_empty(tallies: list[Tally], plan: IngestPlan) -> None:
    if not any(t.valid for t in tallies):
        raise SourceUnreadable(f"{plan.source.name} holds no data: every cell is empty.", source=plan.source.name)


def _count_classes(plain: Path, storage: Storage, tallies: list[Tally]) -> None:
    if storage.classed:
        return
    for values, valid in read_plain(plain, storage):
        for place, tally in enumerate(tallies):
            tally.add_histogram(values[place][valid[place]])


def _note_values(tallies: list[Tally], plan: IngestPlan, layer: RasterLayer, notes: Notes) -> None:
    listed = _listed_codes(plan, layer)
    for tally in tallies:
        strange = sorted(set(tally.classes) - listed) if tally.classed else []
        if strange:
            shown = ", ".join(map(str, strange[:_SHOWN])) + (" ..." if len(strange) > _SHOWN else "")
            message = f"Cells hold classes that the code list does not know: {shown}."
            notes.add("class-not-listed", "warning", message, count=sum(tally.classes[c] for c in strange))
        if tally.outside and tally.band.range is not None:
            low, high = tally.band.range
            message = f"Cells of band {tally.band.name} lie outside the plausible range {low} to {high}."
            notes.add("value-range", "warning", message, count=tally.outside)


def _listed_codes(plan: IngestPlan, layer: RasterLayer) -> set[int]:
    name = layer.list or layer.style.classes
    codes = plan.codelists[name].codes if name else {}
    return {int(code) for code in codes if code.lstrip("-").isdigit()}


def _note_palette(file: Path, notes: Notes) -> None:
    with rasterio.open(file, driver=RASTER_DRIVER) as dataset:
        if dataset.colorinterp[0].name == "palette":
            notes.add(
                "palette-ignored",
                "info",
                "The palette of the source is not used: the layer has its own colours.",
                count=1,
            )


def _summary(facts: RasterFacts, crs: pyproj.CRS, notes: Notes) -> ReadSummary:
    return ReadSummary(
        driver=RASTER_DRIVER,
        read=1,
        good=1,
        bad=0,
        not_selected=0,
        crs=describe(crs),
        findings=notes.findings(),
        facts={FACTS_KEY: facts.model_dump(mode="json")},
    )
