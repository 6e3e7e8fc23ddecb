"""Classes and bounds of a zone in which a raster has no data: they have no figure, and above all not zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely

from geoservice.impact.divisions import Division, Divisions
from geoservice.impact.figures import Ledger, Words, division_figures
from geoservice.impact.hits import ZonePart
from geoservice.impact.raster import RasterTally, pieces_of_zone, raster_tally
from geoservice.impact.sections import Laid, raster_section, within_gaps
from geoservice.impact.zoned import Severity, Zoned
from layers.impact import Figure, ImpactSection
from layers.model import Text, VectorLayer
from tests.geoservice.test_zonal import stored
from tests.support.loading import trial_layer
from tests.support.rasters import raster_layer

WORD = Text(zh="试", en="test")
# One person in each cell of 0.01 degrees of the west, nobody in the middle, and no data in the east.
WEST, MIDDLE = shapely.box(100.0, 39.9, 100.03, 40.0), shapely.box(100.03, 39.9, 100.06, 40.0)
EAST = shapely.box(100.06, 39.9, 100.1, 40.0)
NONE = Divisions()


def classes(*shapes: shapely.Polygon) -> tuple[Severity, ...]:
    labels = (Text(zh=f"第{n}级", en=f"class {n}") for n in range(1, len(shapes) + 1))
    return tuple(Severity(n, f"c{n}", label, s) for n, (label, s) in enumerate(zip(labels, shapes, strict=True), 1))


def tally(directory: Path, some: tuple[Severity, ...], divisions: Divisions = NONE) -> RasterTally:
    cells = np.zeros((10, 10), dtype="float32")
    cells[:, :3] = 1.0
    cells[:, 6:] = -9999
    parts = [ZonePart.of(one.rank, one.shape, 10) for one in some]
    return raster_tally([stored(directory, cells)], pieces_of_zone(parts, divisions))


def section(directory: Path, zone: Zoned) -> ImpactSection:
    tallies = {bound: tally(directory / bound, some) for bound, some in zone.bounds.items()}
    return raster_section(raster_layer(), tallies, Laid(zone, {}, NONE, told=True, explain=False), None)


def test_a_class_without_data_has_no_figure_and_is_named(tmp_path: Path) -> None:
    found = section(tmp_path, Zoned("test", WORD, classes(EAST, WEST, MIDDLE)))
    assert {one.code: one.value for one in found.classes} == pytest.approx({"c2": 30.0, "c3": 0.0})
    assert found.note is not None
    assert "no figure, for: class 1." in found.note.en
    assert "第1级" in found.note.zh
    assert found.total is not None
    assert found.total.value == pytest.approx(30.0)


def test_a_bound_without_data_is_left_out_and_one_without_a_zone_is_zero(tmp_path: Path) -> None:
    blind = section(tmp_path, Zoned("test", WORD, classes(WEST), low=classes(EAST), high=classes(WEST))).total
    assert blind is not None
    assert (blind.low, blind.high) == (None, pytest.approx(30.0))
    nothing = section(tmp_path, Zoned("test", WORD, classes(WEST), low=())).total
    assert nothing is not None
    assert nothing.low == 0.0


def test_a_division_without_data_has_no_figure(tmp_path: Path) -> None:
    members = tuple(Division(name, "county", None, WORD) for name in ("west", "middle", "east"))
    divisions = Divisions(members, np.array([WEST, MIDDLE, EAST], dtype=np.object_))
    found = tally(tmp_path, classes(shapely.box(100.0, 39.9, 100.1, 40.0)), divisions)
    figures = division_figures(Ledger({"best": found}, (), counted=False), divisions, Words(None, areas=False))
    assert {one.code: one.value for one in figures} == pytest.approx({"west": 30.0, "middle": 0.0})


def land(value: float, *, coverage: bool = True, measure: str = "area") -> tuple[VectorLayer, ImpactSection]:
    layer = trial_layer("land", geometry="polygon", style={"fill": "#aabbcc"}, coverage=coverage)
    assert isinstance(layer, VectorLayer)
    total = Figure(value=value)
    return layer, ImpactSection(layer="land", title=WORD, role="land", measure=measure, unit="m2", total=total)


def test_land_that_no_area_covers_is_told_and_is_no_zero() -> None:
    """The area is that of pyproj; a quarter is outside the box and half has areas, so that a quarter is a gap."""
    zone = Zoned("test", WORD, classes(WEST))
    whole = abs(pyproj.Geod(a=6378137.0, rf=298.257222101).geometry_area_perimeter(shapely.segmentize(WEST, 0.001))[0])
    assert zone.area == pytest.approx(whole, rel=1e-6)
    layer, half = land(whole / 2)
    note = within_gaps(layer, half, zone, 0.25).note
    assert note is not None
    assert note.en.startswith("25.0% of the zone is covered by none of the areas")
    assert "25.0%" in note.zh
    assert within_gaps(layer, half, zone, 0.5).note is None, "all of it was told already"
    full = land(whole)[1]
    assert within_gaps(layer, full, zone, 0.0) == full
    nothing = within_gaps(layer, land(0.0)[1], zone, 0.0)
    assert (nothing.status, nothing.total) == ("no-data", None)


def test_of_layers_with_gaps_by_their_nature_nothing_is_said() -> None:
    """Negative control: buildings cover no town, and a zone in which nothing lies has nothing to be covered."""
    zone = Zoned("test", WORD, classes(WEST))
    layer, none = land(0.0, coverage=False)
    assert within_gaps(layer, none, zone, 0.0) == none
    covering, counted = land(0.0, measure="count")
    assert within_gaps(covering, counted, zone, 0.0) == counted
    assert within_gaps(*land(0.0), Zoned("test", WORD, ()), 0.0).total == Figure(value=0.0)
