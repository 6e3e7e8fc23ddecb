"""Methods that find nothing in danger say so, and where they looked; that is not the same as having no data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from geoservice.coverages.errors import NoCoverage
from geoservice.hazards.attenuation import relations
from geoservice.hazards.errors import EmptyZone
from geoservice.hazards.method import Feature, Found
from geoservice.hazards.shapes import box_around
from layers.hazard import HazardZone, ZoneInput
from tests.geoservice.hazards.made import zone_of
from tests.geoservice.hazards.test_rasters import INSIDE, RIVER, raster, valley

BOX = [109.0, 29.0, 114.0, 32.0]
FIX = {"time": "2026-07-01T00:00:00Z", "lon": 179.0, "lat": 20.0, "radii": {"34": [0, 0, 0, 0]}}
LATER = {**FIX, "time": "2026-07-01T06:00:00Z", "lon": -179.0, "lat": 21.0}
FAINT = {"lon": 110.0, "lat": 30.0, "time": "2026-07-01T00:00:00Z", "confidence": "l"}


def square(value: float) -> dict[str, Any]:
    shape = shapely.geometry.mapping(shapely.box(110, 30, 111, 31))
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": shape, "properties": {"c": value}}],
    }


@pytest.mark.parametrize(
    ("method", "told", "looked", "high"),
    [
        ("flood-extent", {"bbox": BOX}, tuple(BOX), None),
        ("earthquake", {"epicentre": [110, 34], "magnitude": 3.0, "strike": 0}, (110, 34, 110, 34), 0),
        ("typhoon-wind", {"fixes": [FIX, LATER]}, (179.0, 20.0, -179.0, 21.0), 0),
        ("model-polygons", {"features": square(0), "field": "c", "breaks": [1]}, (110, 30, 111, 31), None),
        (
            "model-polygons",
            {"features": square(0.5), "field": "c", "breaks": [1], "value_error": 1},
            (110, 30, 111, 31),
            1,
        ),
        ("fire", {"points": [FAINT]}, (110, 30, 110, 30), 1),
        ("buffer", {"collection": "dam", "bbox": BOX, "radii": [5]}, tuple(BOX), None),
    ],
    ids=["flood", "earthquake", "typhoon", "threshold", "threshold-at-worst", "fire", "rings"],
)
def test_a_method_that_finds_nothing_says_where_it_looked(
    method: str, told: dict[str, Any], looked: tuple[float, ...], high: int | None
) -> None:
    zone = zone_of(method, Found(features={"extents": (), "features": (), "faults": ()}, relations=relations()), **told)
    assert zone.classes == ()
    assert zone.looked == pytest.approx(looked)
    assert zone.notes[0].zh != zone.notes[0].en
    assert (None if zone.high is None else len(zone.high)) == high
    assert HazardZone.model_validate_json(zone.model_dump_json()) == zone
    assert zone.identified().id == zone.id


def test_a_river_that_does_not_reach_the_first_class(tmp_path: Path) -> None:
    """A metre of water is no flood where a class begins at two; with its error of a metre and a half it is one."""
    found = raster(tmp_path, valley())
    told = {"bbox": INSIDE, "river": RIVER, "level": 1.0, "level_error": 1.5, "breaks": [2.0]}
    found = Found(rasters=found.rasters, places={"river": shapely.geometry.shape(RIVER)})
    zone = zone_of("river-flood", found, **told)
    assert (zone.classes, zone.low) == ((), ())
    assert zone.looked == pytest.approx(tuple(INSIDE))
    assert [one.code for one in zone.high or ()] == ["2+"]
    assert zone.screening


def test_no_data_is_not_nothing(tmp_path: Path) -> None:
    """Cells without data, and layers of which nothing is loaded, tell nobody that there is no danger."""
    blank = raster(tmp_path, np.full_like(valley(), -9999), "blank")
    with pytest.raises(NoCoverage, match="has data"):
        zone_of("model-raster", blank, collection="blank", bbox=INSIDE, breaks=[1])
    never = Found(features={"extents": ()}, inputs=(ZoneInput(name="flood_extent"),))
    with pytest.raises(EmptyZone, match="Nothing is loaded of flood_extent"):
        zone_of("flood-extent", never, bbox=BOX)
    bare = Found(features={"extents": (Feature("a", None, {}),)})
    with pytest.raises(EmptyZone, match="no flooded area"):
        zone_of("flood-extent", bare, ids=["a"])


@pytest.mark.parametrize(
    ("shapes", "box"),
    [
        ([], None),
        ([shapely.Point(1, 2)], (1, 2, 1, 2)),
        ([shapely.box(-10, 1, 10, 2)], (-10, 1, 10, 2)),
        ([shapely.Point(170, 1), shapely.Point(-170, -1)], (170, -1, -170, 1)),
        ([shapely.Point(-170, 1), shapely.Point(-160, 3)], (-170, 1, -160, 3)),
        ([shapely.Point(180, 0), shapely.Point(175, 0)], (175, 0, 180, 0)),
    ],
)
def test_boxes_lie_on_the_shorter_side_of_the_globe(shapes: list[shapely.Geometry], box: Any) -> None:
    assert box_around(shapes) == (None if box is None else pytest.approx(box))
