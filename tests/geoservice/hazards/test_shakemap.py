"""Grids of shaking: cells around nodes, any order of nodes, intensity by the national standard, hostile documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from geoservice.hazards.shakemap import instrumental_intensity, read_shake_grid
from layers.errors import BadBody, BadParameter
from tests.geoservice.hazards.made import assert_disjoint, shapes, whole, zone_of

LON, LAT = np.linspace(103.0, 103.4, 5), np.linspace(31.0, 31.3, 4)


def document(rows: list[str], lon: int = 5, lat: int = 4, fields: tuple[str, ...] = ("MMI", "STDMMI")) -> str:
    names = "".join(
        f'<grid_field index="{n}" name="{name}" units="{unit}"/>'
        for n, (name, unit) in enumerate((("LON", "dd"), ("LAT", "dd"), *((one, "intensity") for one in fields)), 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap">'
        '<event event_id="x1" magnitude="7.9" lat="31.1" lon="103.2"/>'
        f'<grid_specification lon_min="103" nlon="{lon}" nlat="{lat}"/>{names}'
        f"<grid_data>\n{chr(10).join(rows)}\n</grid_data></shakemap_grid>"
    )


def rows_of(value: Any, sigma: float = 0.5) -> list[str]:
    return [f"{x:.4f} {y:.4f} {value(x, y):.3f} {sigma}" for y in LAT[::-1] for x in LON]


ROWS = rows_of(lambda x, y: 5.5 + (x - 103) * 10)
"""Intensity 5.5, 6.5, 7.5, 8.5, 9.5 from west to east."""


def test_each_node_stands_for_the_cell_around_it() -> None:
    zone = zone_of("shakemap", grid_xml=document(ROWS))
    found = shapes(zone.classes)
    assert list(found) == ["IX", "VIII", "VII", "VI"]
    for number, code in enumerate(("VI", "VII", "VIII", "IX"), 1):
        box = shapely.box(LON[number] - 0.05, 30.95, LON[number] + 0.05, 31.35)
        assert shapely.symmetric_difference(found[code], box).area < 1e-6
    assert_disjoint(zone.classes)
    assert zone.parameters["event"]["event_id"] == "x1"
    assert "grid_xml" not in zone.parameters
    assert zone.inputs[0].name == "grid_xml"
    assert len(zone.inputs[0].digest or "") == 64
    assert zone.low is None


def test_nodes_in_any_order_make_one_zone() -> None:
    one, other = (zone_of("shakemap", grid_xml=document(rows)) for rows in (ROWS, ROWS[::-1]))
    assert one.classes == other.classes


def test_deviations_make_estimates() -> None:
    zone = zone_of("shakemap", grid_xml=document(ROWS), sigma="STDMMI")
    assert list(shapes(zone.bound("low"))) == ["IX", "VIII", "VII", "VI"]
    low, best, high = (whole(zone.bound(bound)).bounds[0] for bound in ("low", "best", "high"))
    assert (low, best, high) == pytest.approx((103.05, 103.05, 102.95), abs=1e-6)
    stated = zone_of("shakemap", grid_xml=document(ROWS), value_error=0.6)
    assert whole(stated.bound("low")).bounds[0] == pytest.approx(103.15, abs=1e-6)


def test_a_grid_across_the_antimeridian() -> None:
    moved = [f"{float(r.split()[0]) + 76.8:.4f} {' '.join(r.split()[1:])}" for r in ROWS]
    west, _, east, _ = whole(zone_of("shakemap", grid_xml=document(moved)).classes).bounds
    assert (west, east) == (-180.0, 180.0)


@pytest.mark.parametrize(
    ("degree", "pga", "pgv"),
    [(6, 0.457, 0.0381), (7, 0.937, 0.0813), (8, 1.95, 0.176), (9, 4.02, 0.381), (10, 8.30, 0.82)],
)
def test_instrumental_intensity_at_the_limits_of_the_table(degree: int, pga: float, pgv: float) -> None:
    """Degrees of GB/T 17742-2020 begin half a degree below their number."""
    found = float(instrumental_intensity(np.array(pga), np.array(pgv)))
    assert found == pytest.approx(degree - 0.5, abs=0.06)
    assert float(instrumental_intensity(np.array(0.0), np.array(0.0))) == 1.0
    assert float(instrumental_intensity(np.array(1e6), np.array(1e6))) == 12.0


def test_the_national_scale_takes_both_motions() -> None:
    # 1.95 m/s2 are 19.88 per cent of g; 0.176 m/s are 17.6 cm/s: intensity 7.5.
    rows = [f"{x:.4f} {y:.4f} 19.88 17.6" for y in LAT for x in LON]
    zone = zone_of("shakemap", grid_xml=document(rows, fields=("PGA", "PGV")), scale="gb-t-17742")
    assert [one.code for one in zone.classes] == ["VII"]
    with pytest.raises(BadParameter, match="LAT, LON, MMI"):
        zone_of("shakemap", grid_xml=document(ROWS), scale="gb-t-17742")
    with pytest.raises(BadParameter, match="Give breaks"):
        zone_of("shakemap", grid_xml=document(rows, fields=("PGA", "PGV")), field="PGA")


ENTITY = '<!DOCTYPE x [<!ENTITY a "1">]>'


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no xml", "not well-formed"),
        ("<a/>", "grid_specification"),
        (document(ROWS[:-1]), "76 numbers"),
        (document([*ROWS[:-1], "103.4 31.0 many 0.5"]), "no number"),
        (document(ROWS, lon=1), "whole number nlon"),
        (document(ROWS, lon=4, lat=5), "even grid"),
        (document([*ROWS[:-1], "103.9 31.0 9.5 0.5"]), "even grid"),
        (document([*ROWS[:-1], "nan 31.0 9.5 0.5"]), "even grid"),
        (document(ROWS).replace("?><", f"?>{ENTITY}<", 1), "document type"),
        (document(ROWS).replace('name="LAT"', 'name="LON"'), "one field LON"),
    ],
)
def test_documents_that_are_no_grid(text: str, word: str) -> None:
    with pytest.raises(BadBody, match=word):
        read_shake_grid(text)
