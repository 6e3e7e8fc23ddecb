"""Rasters, read inside the confined child: opened, checked against the layer, and rewritten as COG.

Cells stay in the CRS of the source. What a source says wrongly or not at all (CRS, no-data value, bands) comes from
its mapping; everything else that does not fit is refused with a sentence. A source may hold several rasters: each
becomes a file of its own, and one that cannot be stored does not hold up the others.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyproj
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from ingest.cog import Chunk, Storage, publish, read_plain, write_plain
from ingest.footprint import Coverage, footprint
from ingest.job import IngestPlan, ReadSummary
from ingest.notes import Notes
from ingest.raster_drivers import SOURCE_DRIVERS, strangers
from ingest.raster_facts import FACTS_KEY, MOST_RASTERS, REFUSED_KEY, RasterFacts, Stored, cog_name, list_name
from ingest.readers.cells import Selection, chunks, decide, is_classed, select
from ingest.readers.raster_parts import Part, find_parts
from ingest.readers.raster_place import (
    Grid,
    found_transform,
    is_upright,
    place_crs,
    place_grid,
    read_beside,
    upright,
)
from ingest.tally import MAX_CLASSES, Tally
from ingest.vertical import NONE, stated
from ingest.wire import error_to_json, plan_from_json
from layers.crs import describe
from layers.errors import CrsRefused, GeoError, SourceMismatch, SourceUnreadable
from layers.model import RasterLayer

_BLOCK_SHARE = 4
_PLAIN_NAME = "plain.tif"
_CACHE_BYTES = 256 << 20
_SHOWN = 12
_MOST_LETTERS = 500
_SAME_UNITS = ({"m", "metre", "metres", "meter", "meters"}, {"k", "kelvin"}, {"°c", "c", "degc", "celsius"})


def deliver(plan_json: dict[str, Any], file: str, rows: IO[bytes]) -> dict[str, Any]:
    """Rewrite the rasters of a source as COG in the directory of the source.

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
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES, GDAL_NUM_THREADS=str(os.cpu_count() or 1)):
            return {"summary": convert(plan, Path(file), Path(file).parent).model_dump(mode="json")}
    except GeoError as error:
        return error_to_json(error)
    except (RasterioError, CPLE_BaseError):
        return error_to_json(_damaged(name))
    except MemoryError:
        limit = plan.limits.memory >> 20
        return error_to_json(SourceUnreadable(f"Reading {name} needs more than the {limit} MiB of memory allowed."))


def _damaged(name: str) -> SourceUnreadable:
    return SourceUnreadable(f"{name} is damaged: not all of its cells can be read.", source=name)


def convert(plan: IngestPlan, file: Path, directory: Path) -> ReadSummary:
    """Check the rasters of a source and write them to `directory`, each as `cog_name` with its `list_name`.

    Raises:
        SourceUnreadable: When it is no raster, is damaged, claims more cells than allowed, or holds no data.
        SourceMismatch: When its bands, georeference or values do not fit the layer.
        CrsRefused: When its CRS is missing or has no safe way into storage.
    """
    _raster_layer(plan)
    notes = Notes()
    parts = find_parts(plan, file, notes)
    if len(parts) > MOST_RASTERS:
        raise SourceMismatch(f"{plan.source.name} holds {len(parts)} rasters, more than the {MOST_RASTERS} allowed.")
    done: list[Stored] = []
    refused: list[dict[str, str]] = []
    first: GeoError | None = None
    for part in parts:
        try:
            facts = _convert_part(part, part.plan(plan), directory, len(done), notes)
        except (GeoError, RasterioError, CPLE_BaseError) as found:
            error = found if isinstance(found, GeoError) else _damaged(part.name)
            first = first or error
            refused.append({"name": part.name, "reason": error.detail[:_MOST_LETTERS]})
            continue
        done.append(Stored(name=part.name, facts=facts))
        (directory / list_name(len(done) - 1)).write_text(done[-1].model_dump_json(), encoding="utf-8")
    if not done:
        raise first or SourceUnreadable(f"{plan.source.name} holds no raster.", source=plan.source.name)
    return _summary(plan, parts, done, refused, notes)


def _convert_part(part: Part, plan: IngestPlan, directory: Path, number: int, notes: Notes) -> RasterFacts:
    layer = _raster_layer(plan)
    beside = read_beside(part.file, part.name)
    with ExitStack() as held:
        dataset = held.enter_context(part.open())
        _refuse_types(dataset, plan)
        refuse_size(dataset, plan)
        _note_further(dataset, notes)
        transform = found_transform(dataset, beside, plan)
        crs, written = place_crs(dataset, beside, plan)
        _note_units(dataset, plan, layer, notes)
        if not is_upright(transform):
            nodata = select(dataset, plan, layer).bands[0].nodata
            dataset = held.enter_context(upright(dataset, transform, written, layer, nodata))
            refuse_size(dataset, plan)
            transform = dataset.transform
            message = "The cells are rotated, sheared or mirrored; they were resampled to a grid with north up."
            notes.add("resampled", "warning", message, count=1)
        grid = place_grid(dataset, transform, crs, plan, notes)
        footprint(crs, grid.transform, dataset.width, dataset.height)
        selection = select(dataset, plan, layer)
        storage = decide(dataset, layer, selection, written, grid)
        plain, seen = directory / _PLAIN_NAME, Coverage(storage.width, storage.height)
        tallies = _write(plain, dataset, layer, (selection, storage, grid), seen)
        if selection.palette is None and selection.expand is None and not is_classed(layer):
            _note_palette(dataset, notes)
    _refuse_empty(tallies, plan)
    # Both only read the plain file, and both leave the interpreter to others for most of their time.
    with ThreadPoolExecutor(1, "histogram") as pool:
        histograms = pool.submit(_count_classes, plain, storage, tallies)
        publish(plain, directory / cog_name(number), storage, layer.cog)
        histograms.result()
    plain.unlink()
    _note_values(tallies, plan, layer, notes)
    return RasterFacts(
        crs=describe(crs),
        width=storage.width,
        height=storage.height,
        footprint=footprint(crs, grid.transform, storage.width, storage.height, seen).wkb_hex,
        bands=tuple(t.figures(storage.dtype, storage.nodata) for t in tallies),
        vertical=_vertical(crs, plan, layer, notes),
    )


def _refuse_types(dataset: DatasetReader, plan: IngestPlan) -> None:
    if not dataset.count:
        raise SourceUnreadable(f"{plan.source.name} holds no band of cells.", source=plan.source.name)
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise SourceMismatch(f"Layer {plan.layer.id} stores real numbers; {plan.source.name} holds complex ones.")


def _note_further(dataset: DatasetReader, notes: Notes) -> None:
    if dataset.driver != SOURCE_DRIVERS["netcdf"] and dataset.subdatasets:
        message = "The file holds several images; the first one is loaded, the others are not."
        notes.add("further-images", "warning", message, count=len(dataset.subdatasets) - 1)


def _vertical(crs: pyproj.CRS, plan: IngestPlan, layer: RasterLayer, notes: Notes) -> str | None:
    """Vertical datum that source or mapping states; a layer that declares another one is told. Cells keep theirs."""
    told = stated(crs) or plan.mapping.vertical_datum
    wanted = {band.vertical_datum for band in layer.bands if band.vertical_datum} - {NONE}
    if wanted and told is not None and told not in wanted:
        if plan.mapping.vertical != "warn":
            raise CrsRefused(
                f"Heights of {plan.source.name} are on {told}, but the layer has {', '.join(sorted(wanted))}; "
                "cells are not converted.",
                source=told,
            )
        message = f"The source states the vertical datum {told}; the layer declares {', '.join(sorted(wanted))}."
        notes.add("vertical-datum", "warning", message, count=1)
    return told


def _note_units(dataset: DatasetReader, plan: IngestPlan, layer: RasterLayer, notes: Notes) -> None:
    """Compare units where both sides state one and the mapping converts nothing."""
    indexes = plan.mapping.bands or dataset.indexes
    for band, index in zip(layer.bands, indexes, strict=False):
        unit = dataset.units[index - 1] if index <= dataset.count else None
        if unit and band.unit and band.name not in plan.mapping.factor and _plain_unit(unit) != _plain_unit(band.unit):
            message = f"The source gives band {band.name} in {unit[:40]!r}; the layer declares {band.unit!r}."
            notes.add("unit", "warning", message, count=1)


def _plain_unit(unit: str) -> str:
    text = unit.strip().lower()
    return next((min(names) for names in _SAME_UNITS if text in names), text)


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


def _write(
    plain: Path,
    dataset: DatasetReader,
    layer: RasterLayer,
    how: tuple[Selection, Storage, Grid],
    seen: Coverage,
) -> list[Tally]:
    selection, storage, grid = how
    tallies = [Tally(band, storage.classed) for band in layer.bands]

    def counted() -> Any:
        last: Future[None] | None = None
        for chunk in chunks(dataset, selection, storage, grid):
            seen.add(chunk.row, np.logical_or.reduce(chunk.valid, axis=0))
            if last is not None:
                last.result()
                _refuse_many_classes(tallies, layer)
            last = pool.submit(_tally, tallies, chunk)
            yield chunk
        if last is not None:
            last.result()
            _refuse_many_classes(tallies, layer)

    # Cells are counted by another thread while they are written and the next ones are read.
    with ThreadPoolExecutor(1, "tally") as pool:
        write_plain(plain, storage, counted())
    for tally in tallies:
        tally.close()
    return tallies


def _tally(tallies: list[Tally], chunk: Chunk) -> None:
    for tally, values, valid in zip(tallies, chunk.values, chunk.valid, strict=True):
        tally.add(values if valid.all() else values[valid], valid.size)


def _refuse_many_classes(tallies: list[Tally], layer: RasterLayer) -> None:
    if any(t.classed and t.distinct > MAX_CLASSES for t in tallies):
        raise SourceMismatch(
            f"The source holds more than {MAX_CLASSES} values; layer {layer.id} holds codes of a list."
        )


def _refuse_empty(tallies: list[Tally], plan: IngestPlan) -> None:
    if not any(t.valid for t in tallies):
        raise SourceUnreadable(f"{plan.source.name} holds no data: every cell is empty.", source=plan.source.name)


def _count_classes(plain: Path, storage: Storage, tallies: list[Tally]) -> None:
    if all(tally.complete for tally in tallies):
        return
    for cells, held in read_plain(plain, storage):
        for tally, values, valid in zip(tallies, cells, held, strict=True):
            tally.add_histogram(values if valid.all() else values[valid])


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


def _note_palette(dataset: DatasetReader, notes: Notes) -> None:
    if dataset.colorinterp[0].name == "palette":
        notes.add(
            "palette-ignored", "info", "The palette of the source is not used: the layer has its own colours.", count=1
        )


def _summary(
    plan: IngestPlan, parts: tuple[Part, ...], done: list[Stored], refused: list[dict[str, str]], notes: Notes
) -> ReadSummary:
    systems = sorted({stored.facts.crs for stored in done})
    facts: dict[str, Any] = {"rasters": len(done)}
    if len(parts) == 1:
        facts[FACTS_KEY] = done[0].facts.model_dump(mode="json")
    if refused:
        facts[REFUSED_KEY] = refused
        message = f"Rasters of {plan.source.name} could not be stored; they are in quarantine with the reason."
        notes.add("raster-refused", "error", message, count=len(refused))
    return ReadSummary(
        driver=SOURCE_DRIVERS[parts[0].kind],
        read=len(parts),
        good=len(done),
        bad=len(parts) - len(done),
        not_selected=0,
        crs=", ".join(systems[:_SHOWN]),
        findings=notes.findings(),
        facts=facts,
    )
