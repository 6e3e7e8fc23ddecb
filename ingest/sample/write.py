"""Writes the sample region as files that are then loaded like any other source."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.alert import IDENTIFIER, build_alert
from ingest.sample.changes import COLUMNS, build_changes
from ingest.sample.facilities import Feature
from ingest.sample.farmland import FarmlandCollector, control_lines
from ingest.sample.gauges import Gauge, build_gauges
from ingest.sample.manifest import SampleManifest
from ingest.sample.planning import planning_zones
from ingest.sample.rasters import (
    CRS,
    CoverPainter,
    people_per_cell,
    write_elevation,
    write_imagery,
    write_land_cover,
    write_population,
)
from ingest.sample.readings import Reading, build_readings
from ingest.sample.refuge import SHARE, places_with_shelter
from ingest.sample.region import Region, build_region
from ingest.sample.settlements import ADCODE, COUNTY
from ingest.sample.size import DEFAULT_PARCELS, DEFAULT_SEED, FEWEST, MOST
from ingest.sample.tables import LAYERS
from layers.area import ellipsoidal_area
from layers.errors import BadParameter

FIXED_DATE = "2026-07-01T00:00:00.000Z"
"""Written into the GeoPackages in place of the date of the day, so that the same data are the same bytes."""
LABEL = "Fictional sample region (样例县): no place of this name exists"
ARROW_TYPES: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    dt.date: pa.date32(),
    int: pa.int32(),
    float: pa.float64(),
    str: pa.string(),
    dt.datetime: pa.timestamp("ms", tz="UTC"),
}
GEOMETRY_TYPES = {
    frozenset({"Point"}): "Point",
    frozenset({"LineString"}): "LineString",
    frozenset({"Polygon"}): "Polygon",
    frozenset({"MultiPolygon"}): "MultiPolygon",
    frozenset({"MultiPolygon", "Polygon"}): "MultiPolygon",
}
Progress = Callable[[str, float], None]


def write_sample(
    directory: Path, parcels: int = DEFAULT_PARCELS, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> SampleManifest:
    """Build the region and write one file per layer, `sample_<layer>.gpkg|csv|tif|xml`, coordinates in EPSG:4490.

    Args:
        directory: Where the files go; made when missing. Files of an earlier sample are replaced.
        parcels: Number of land-use patches, 500 to 1,000,000; decides nothing else.
        seed: Another seed gives another county.
        progress: Called with what is being done and the share of the whole that is done (0..1).

    Returns:
        What is known to be true of the region, for comparison with answers.

    Raises:
        BadParameter: When `parcels` is out of range or `seed` is negative.
    """
    _check(parcels, seed)
    tell = progress or (lambda _what, _share: None)
    directory.mkdir(parents=True, exist_ok=True)
    tell("land, water, settlements, roads", 0.0)
    region = build_region(parcels, seed)
    with _fixed_date():
        tell("land-use patches", 0.4)
        painter, farmland, areas = _write_parcels(directory, region, tell)
        tell("other vector layers", 0.75)
        counts = {name: _write_features(directory, name, build(region)) for name, build in LAYERS.items()}
        counts["control_line"] = _write_features(directory, "control_line", control_lines(region, farmland))
        gauges = build_gauges(region)
        counts["gauge_station"] = _write_features(directory, "gauge_station", [one.station for one in gauges])
    tell("readings and warning", 0.85)
    readings = build_readings(seed)
    _write_readings(directory / "sample_air_observation.csv", readings)
    levels = [one for gauge in gauges for one in gauge.readings()]
    _write_readings(directory / "sample_water_observation.csv", levels)
    changes = build_changes(region.settlements)
    _write_rows(directory / "sample_division_change.csv", COLUMNS, changes)
    (directory / "sample_cap_alert.xml").write_bytes(build_alert(region.flood.polygon, _flooded(region)))
    tell("rasters", 0.9)
    _write_rasters(directory, region, painter)
    tell("done", 1.0)
    counts |= {"landuse_patch": region.parcels.count, "air_observation": len(readings), "cap_alert": 1}
    counts |= {"division_change": len(changes), "water_observation": len(levels)}
    return _manifest(region, counts, areas, gauges)


def _check(parcels: int, seed: int) -> None:
    if not FEWEST <= parcels <= MOST:
        raise BadParameter(
            f"The number of parcels must be from {FEWEST} to {MOST}, not {parcels}.", parameter="parcels", value=parcels
        )
    if seed < 0:
        raise BadParameter(f"The seed must not be negative, not {seed}.", parameter="seed", value=seed)


@contextmanager
def _fixed_date() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": FIXED_DATE})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _write_parcels(
    directory: Path, region: Region, tell: Progress
) -> tuple[CoverPainter, FarmlandCollector, dict[str, float]]:
    painter, farmland = CoverPainter(), FarmlandCollector(len(region.settlements.townships))
    areas: defaultdict[str, float] = defaultdict(float)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in region.parcels.batches():
            painter.add(batch)
            farmland.add(batch)
            for code in np.unique(batch.classes).tolist():
                areas[code] += float(batch.areas[batch.classes == code].sum())
            tell("land-use patches", 0.4 + 0.35 * batch.part.stop / region.parcels.count)
            yield batch.arrow()

    stream = batches()
    first = next(stream)
    reader = pa.RecordBatchReader.from_batches(first.schema, _chain(first, stream))
    _write_arrow(directory / "sample_landuse_patch.gpkg", reader, "Polygon")
    return painter, farmland, dict(areas)


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _write_features(directory: Path, layer: str, features: list[Feature]) -> int:
    columns: dict[str, pa.Array] = {}
    for name in features[0].values:
        values = [f.values[name] for f in features]
        columns[name] = pa.array(values, type=_arrow_type(values))
    kinds = frozenset(f.geometry.geom_type for f in features)
    kind = GEOMETRY_TYPES.get(kinds, "Unknown")
    shapes = [_multi(f.geometry) if kind == "MultiPolygon" else f.geometry for f in features]
    columns["geom"] = pa.array(shapely.to_wkb(np.array(shapes, dtype=object)), type=pa.binary())
    _write_arrow(directory / f"sample_{layer}.gpkg", pa.table(columns), kind)
    return len(features)


def _arrow_type(values: list[object]) -> pa.DataType:
    known = {type(v) for v in values if v is not None} or {str}
    return ARROW_TYPES[float if known == {int, float} else known.pop()]


def _multi(geometry: BaseGeometry) -> BaseGeometry:
    return shapely.MultiPolygon([geometry]) if isinstance(geometry, shapely.Polygon) else geometry


def _write_arrow(path: Path, rows: pa.Table | pa.RecordBatchReader, kind: str) -> None:
    path.unlink(missing_ok=True)
    pyogrio.write_arrow(
        rows,
        path,
        layer=path.stem,
        driver="GPKG",
        geometry_name="geom",
        geometry_type=kind,
        crs=CRS,
        layer_options={"DESCRIPTION": LABEL},
    )


def _write_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_readings(path: Path, readings: list[Reading]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("station_id", "property", "phenomenon_time", "value", "unit", "quality"))
        for r in readings:
            writer.writerow((r.station, r.observed, r.time.isoformat(), r.value, r.unit, r.quality))


def _flooded(region: Region) -> list[str]:
    """Codes of the townships that the flood touches."""
    return [t.code for t in region.settlements.townships if shapely.intersects(t.polygon, region.flood.polygon)]


def _write_rasters(directory: Path, region: Region, painter: CoverPainter) -> None:
    fields = region.fields
    write_elevation(directory / "sample_elevation.tif", region.waters.height)
    write_population(directory / "sample_population.tif", people_per_cell(fields, region.settlements))
    write_land_cover(directory / "sample_land_cover.tif", painter.cover)
    write_imagery(directory / "sample_imagery.tif", painter.cover, fields, region.transport.roads, region.seed)


def _planned(region: Region) -> dict[str, float]:
    made = planning_zones(region)
    return {str(one.values["kind"]): round(float(ellipsoidal_area(one.geometry)), 2) for one in made}


def _manifest(
    region: Region, counts: dict[str, int], areas: dict[str, float], gauges: Sequence[Gauge]
) -> SampleManifest:
    settlements, reservoir = region.settlements, region.reservoir
    people = {t.code: settlements.people(n) for n, t in enumerate(settlements.townships)}
    used = Counter(region.parcels.classes.tolist())
    return SampleManifest(
        adcode=ADCODE,
        name_zh=COUNTY.zh,
        name_en=COUNTY.en,
        seed=region.seed,
        bounds=tuple(float(b) for b in region.county.bounds),
        area=float(ellipsoidal_area(region.county)),
        population=sum(people.values()),
        population_by_township=people,
        township_names={t.code: t.name.zh for t in settlements.townships},
        counts=dict(sorted(counts.items())),
        patches_by_class=dict(sorted(used.items())),
        area_by_class={k: round(v, 2) for k, v in sorted(areas.items())},
        planned_area=_planned(region),
        shelter_capacity=sum(int(p.people * SHARE) for p in places_with_shelter(settlements)),
        reservoir_level=reservoir.level,
        reservoir_capacity=round(reservoir.capacity, 3),
        dam=reservoir.dam,
        alert_identifier=IDENTIFIER,
        rain_by_gauge={g.key: round(float(g.values.sum()), 1) for g in gauges if g.observed == "rain"},
        highest_by_gauge={g.key: float(g.values.max()) for g in gauges if g.observed == "water_level"},
    )
