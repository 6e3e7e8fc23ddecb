"""Registered parameters at work; judged by PROJ's own EPSG operations, least squares, and a grid with a known plane."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import pytest
from pyproj.transformer import TransformerGroup

from ingest.job import with_transformations
from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.choose import open_source
from ingest.readers.source import Request
from ingest.sandbox import open_rows
from ingest.wire import batch_schema, plan_from_json, plan_to_json
from layers.errors import CrsRefused
from layers.transformation import Transformation
from tests.ingest.reading import Result, plan_for, vector
from tests.support.parameters import CITY, COMMON, TARIM, YELLOW_SEA, registered, write_ntv2

EARTH = pyproj.Geod(ellps="GRS80")
POINT = {"x": "x", "y": "y"}
Places = list[tuple[float, float]]


def load(folder: Path, places: Places, sets: list[Transformation], *, confined: bool = False, **more: Any) -> Result:
    """Points of a text table, with these sets registered; `layer` may be given."""
    file = folder / "a.csv"
    file.write_text("x,y\n" + "".join(f"{x!r},{y!r}\n" for x, y in places))
    plan = plan_for(file, more.pop("layer", vector()), **{"point": POINT, **more})
    plan = with_transformations(plan, {t.name: t for t in sets})
    if confined:
        with open_rows(plan) as stream:
            return Result(pa.Table.from_batches(list(stream), schema=stream.schema), stream.summary)
    # The child sees the plan only as it travels.
    plan = dataclasses.replace(plan_from_json(plan_to_json(plan)), source=file)
    request = Request(file, plan, folder / "transformations", Notes())
    pipeline = Pipeline(request, open_source(request))
    rows = pa.Table.from_batches(list(pipeline.batches()), schema=batch_schema(plan.layer))
    return Result(rows, pipeline.summary())


def where(found: Result) -> Places:
    return [(r["geom"].x, r["geom"].y) for r in found.good]


def metres(one: Places, other: Any) -> float:
    """Largest distance between two lists of places."""
    a, b = np.array(one), np.array(other)
    return float(np.max(EARTH.inv(a[:, 0], a[:, 1], b[:, 0], b[:, 1])[2]))


def published(number: int) -> pyproj.Transformer:
    """The operation Beijing 1954 to WGS 84 (number) of the EPSG registry."""
    group = TransformerGroup(4214, 4326, always_xy=True, allow_ballpark=False)
    return next(t for t in group.transformers if f"Beijing 1954 to WGS 84 ({number})" in t.description)


def test_seven_parameters_agree_with_the_published_operation(tmp_path: Path) -> None:
    places = [(120.5, 32.25), (123.0, 35.0), (124.9, 37.3)]
    found = load(tmp_path, places, [registered(tmp_path, "yellow-sea", YELLOW_SEA)], crs="EPSG:4214")
    expected = [published(2).transform(x, y) for x, y in places]
    assert metres(where(found), expected) < 0.001
    assert metres(places, expected) > 40


def test_coordinate_frame_is_the_other_sense_of_rotation(tmp_path: Path) -> None:
    frame = {**YELLOW_SEA, "convention": "coordinate-frame", "parameters": {**YELLOW_SEA["parameters"], "rz": -0.814}}
    places = [(123.0, 35.0)]
    found = load(tmp_path, places, [registered(tmp_path, "frame", frame)], crs="EPSG:4214")
    assert metres(where(found), [published(2).transform(*places[0])]) < 0.001
    wrong = {**frame, "convention": "position-vector"}
    found = load(tmp_path, places, [registered(tmp_path, "frame", wrong)], crs="EPSG:4214")
    assert metres(where(found), [published(2).transform(*places[0])]) > 10


@pytest.mark.parametrize("factor", [1e6, 1.0])
def test_units_are_converted(tmp_path: Path, factor: float) -> None:
    radians = np.radians(0.814 / 3600)
    units = {"rotation": "radian" if factor == 1 else "microradian", "scale": "factor"}
    changed = {**YELLOW_SEA["parameters"], "rz": float(radians * factor), "scale": 1 - 0.38e-6}
    sets = [registered(tmp_path, "other-units", {**YELLOW_SEA, "units": units, "parameters": changed})]
    found = load(tmp_path, [(123.0, 35.0)], sets, crs="EPSG:4214")
    assert metres(where(found), [published(2).transform(123.0, 35.0)]) < 0.001


def test_zones_of_the_old_datum_come_in_too(tmp_path: Path) -> None:
    """Eastings of several zones, declared by datum only, through the same parameters."""
    places = [(79.0, 38.0), (82.0, 39.0), (86.0, 40.0)]
    codes = [2402, 2403, 2405]  # zones 26, 27, 29
    ways = [pyproj.Transformer.from_crs(4214, code, always_xy=True) for code in codes]
    grid = [way.transform(*place) for way, place in zip(ways, places, strict=True)]
    tarim = [registered(tmp_path, "tarim", TARIM)]
    found = load(tmp_path, grid, tarim, datum="beijing1954")
    assert metres(where(found), [published(4).transform(*p) for p in places]) < 0.001
    declared = load(tmp_path, grid[:1], tarim, crs="EPSG:2402")
    assert metres(where(declared), [published(4).transform(*places[0])]) < 0.001


def test_without_registration_it_is_refused(tmp_path: Path) -> None:
    """Negative control: the parameters are what opens the way."""
    with pytest.raises(CrsRefused, match=r"stands on Beijing 1954.*transformations/\*\.yaml"):
        load(tmp_path, [(80.0, 40.0)], [], crs="EPSG:4214")


@pytest.mark.parametrize("valid", [{"to": dt.date(2001, 1, 1)}, {"from": dt.date(2999, 1, 1)}])
def test_parameters_out_of_force_do_not_count(tmp_path: Path, valid: dict[str, Any]) -> None:
    expired = [registered(tmp_path, "tarim", {**TARIM, "valid": valid})]
    with pytest.raises(CrsRefused, match="stands on Beijing 1954"):
        load(tmp_path, [(80.0, 40.0)], expired, crs="EPSG:4214")
    with pytest.raises(CrsRefused, match="not in force today"):
        load(tmp_path, [(80.0, 40.0)], expired, crs="EPSG:4214", transformation="tarim")


def test_of_several_the_one_that_covers_is_taken(tmp_path: Path) -> None:
    sets = [registered(tmp_path, "tarim", TARIM), registered(tmp_path, "yellow-sea", YELLOW_SEA)]
    found = load(tmp_path, [(80.0, 40.0)], sets, crs="EPSG:4214")
    assert metres(where(found), [published(4).transform(80.0, 40.0)]) < 0.001
    assert found.summary.facts["transformation"]["name"] == "tarim"
    with pytest.raises(CrsRefused, match="no registered set of parameters covers it"):
        load(tmp_path, [(100.0, 30.0)], sets, crs="EPSG:4214")
    double = [*sets, registered(tmp_path, "tarim-again", TARIM)]
    with pytest.raises(CrsRefused, match=r"several registered sets.*\(tarim, tarim-again\)"):
        load(tmp_path, [(80.0, 40.0)], double, crs="EPSG:4214")
    named = load(tmp_path, [(80.0, 40.0)], double, crs="EPSG:4214", transformation="tarim-again")
    assert named.summary.facts["transformation"]["name"] == "tarim-again"


def test_rows_outside_the_region_go_to_quarantine(tmp_path: Path) -> None:
    triangle = {**TARIM, "region": {"polygon": [[78.0, 37.5], [87.0, 37.5], [82.0, 41.5]]}}
    found = load(tmp_path, [(82.0, 39.0), (78.2, 41.0)], [registered(tmp_path, "tarim", triangle)], crs="EPSG:4214")
    assert len(found.good) == 1
    said = "The row lies outside the region of the registered parameters tarim of Test survey."
    assert found.bad[0]["_reason"] == said


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"crs": "EPSG:4214", "transformation": "other"}, "not registered"),
        ({"crs": "EPSG:4610", "transformation": "tarim"}, "does not begin at the datum"),
        ({"crs": "EPSG:4490", "transformation": "tarim"}, "does not begin at the datum"),
        ({"crs": "EPSG:4490", "transformation": "city"}, "begins at a local system"),
    ],
)
def test_a_named_set_must_fit(tmp_path: Path, mapping: dict[str, str], said: str) -> None:
    sets = [registered(tmp_path, "tarim", TARIM), registered(tmp_path, "city", CITY)]
    with pytest.raises(CrsRefused, match=said):
        load(tmp_path, [(80.0, 40.0)], sets, **mapping)


def test_a_set_used_backwards(tmp_path: Path) -> None:
    away = {**TARIM, "source": "EPSG:4490", "target": "EPSG:4214", "inverse": True}
    found = load(tmp_path, [(80.0, 40.0)], [registered(tmp_path, "away", away)], crs="EPSG:4214")
    flat = {**away, "source": "EPSG:4214", "target": "EPSG:4490", "inverse": False}
    opposite = {**flat, "parameters": {k: -v for k, v in TARIM["parameters"].items()}}
    same = load(tmp_path, [(80.0, 40.0)], [registered(tmp_path, "same", opposite)], crs="EPSG:4214")
    assert metres(where(found), where(same)) < 0.001


def fitted(axes: str) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Four parameters from point pairs by least squares: local plane to zone 39 (both east, north)."""
    local = np.array([[40000.0, 20000.0], [52000.0, 18000.0], [47000.0, 31000.0], [60000.0, 27000.0]])
    angle, scale, move = np.radians(1.25), 1.000025, np.array([39_400_000.0, 4_400_000.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    zone = local @ turn.T + move
    first, second = (local, zone) if axes == "east-north" else (local[:, ::-1], zone[:, ::-1])
    rows = np.zeros((8, 4))
    rows[0::2] = np.column_stack([np.ones(4), np.zeros(4), first[:, 0], -first[:, 1]])
    rows[1::2] = np.column_stack([np.zeros(4), np.ones(4), first[:, 1], first[:, 0]])
    dx, dy, a, b = np.linalg.lstsq(rows, second.ravel(), rcond=None)[0]
    names = {"dx": dx, "dy": dy, "rotation": np.degrees(np.arctan2(b, a)) * 3600, "scale": (np.hypot(a, b) - 1) * 1e6}
    return local, zone, {k: float(v) for k, v in names.items()}


@pytest.mark.parametrize("axes", ["east-north", "north-east"])
def test_four_parameters_of_a_local_system(tmp_path: Path, axes: str) -> None:
    local, zone, parameters = fitted(axes)
    city = [registered(tmp_path, "city", {**CITY, "axes": axes, "parameters": parameters})]
    found = load(tmp_path, [tuple(p) for p in local.tolist()], city, transformation="city")
    home = pyproj.Transformer.from_crs(4527, 4490, always_xy=True)
    assert metres(where(found), [home.transform(*p) for p in zone.tolist()]) < 0.001
    assert found.summary.facts["crs_decision"]["how"] == "local"


def test_four_parameters_between_zones_and_backwards(tmp_path: Path) -> None:
    """Xian 1980 zone 39 to CGCS2000 zone 39, registered away from CGCS2000; the source lies in another form."""
    definition = {
        **CITY,
        "source": "EPSG:4527",
        "target": "EPSG:2363",
        "inverse": True,
        "parameters": {"dx": -116.5, "dy": -3.25, "rotation": 0.5, "scale": 1.5},
    }
    new = np.array([[39_450_000.0, 4_420_000.0], [39_460_000.0, 4_425_000.0]])
    angle = np.radians(0.5 / 3600)
    turn = (1 + 1.5e-6) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    old = new @ turn.T + [-116.5, -3.25]
    degrees = [pyproj.Transformer.from_crs(2363, 4610, always_xy=True).transform(*p) for p in old.tolist()]
    found = load(tmp_path, degrees, [registered(tmp_path, "plane", definition)], crs="EPSG:4610")
    home = pyproj.Transformer.from_crs(4527, 4490, always_xy=True)
    assert metres(where(found), [home.transform(*p) for p in new.tolist()]) < 0.001


PLANE = np.array([[4.0, 0.01, -0.02], [-1.5, 0.005, 0.01]])
BOX = (110.0, 30.0, 112.0, 32.0)


def grid(folder: Path) -> Transformation:
    """A registered grid whose shifts are a plane, so that interpolation is exact."""
    (folder / "transformations").mkdir(exist_ok=True)
    file = folder / "transformations" / "shift.gsb"
    write_ntv2(file, BOX, 0.25, PLANE)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    ends = {"source": "EPSG:4610", "target": "EPSG:4490", "method": "grid", "file": file.name, "sha256": digest}
    return registered(folder, "county-grid", {**COMMON, **ends, "region": {"bbox": list(BOX)}})


@pytest.mark.parametrize("confined", [False, True])
def test_a_grid_shifts_by_what_its_nodes_say(tmp_path: Path, confined: bool) -> None:
    places = [(110.6, 30.4), (111.123, 31.777)]
    found = load(tmp_path, places, [grid(tmp_path)], crs="EPSG:4610", confined=confined)
    expected = [tuple(np.array(p) + PLANE @ [1.0, *p] / 3600) for p in places]
    assert metres(where(found), expected) < 0.001
    assert metres(places, expected) > 50


def test_another_grid_in_its_place_is_refused(tmp_path: Path) -> None:
    found = grid(tmp_path)
    write_ntv2(tmp_path / "transformations" / "shift.gsb", BOX, 0.25, PLANE * 2)
    with pytest.raises(CrsRefused, match="not the registered file"):
        load(tmp_path, [(110.6, 30.4)], [found], crs="EPSG:4610", confined=True)


def test_reports_name_the_set_and_never_a_parameter(tmp_path: Path) -> None:
    tarim = registered(tmp_path, "tarim", TARIM)
    found = load(tmp_path, [(80.0, 40.0)], [tarim], crs="EPSG:4214", confined=True)
    used = found.summary.facts["transformation"]
    assert used == {
        "name": "tarim",
        "owner": "Test survey",
        "method": "bursa-wolf-7",
        "residual_m": 0.03,
        "check_points": 12,
        "digest": tarim.digest(),
    }
    text = found.summary.model_dump_json()
    assert not any(str(v) in text for v in (15.8, 154.4, 82.3))
    assert "transformation" in found.rules()


def test_a_secret_set_is_not_named_in_the_report_of_an_open_layer(tmp_path: Path) -> None:
    secret = registered(tmp_path, "tarim-secret", {**TARIM, "secrecy": "restricted", "owner": "Hidden office"})
    places = [(80.0, 40.0), (100.0, 40.0)]
    text = load(tmp_path, places, [secret], crs="EPSG:4214")
    seen = text.summary.model_dump_json() + str(text.bad)
    assert "tarim-secret" not in seen
    assert "Hidden office" not in seen
    assert secret.digest() in seen
    with pytest.raises(CrsRefused) as caught:
        load(tmp_path, places[:1], [secret, registered(tmp_path, "tarim-open", TARIM)], crs="EPSG:4214")
    assert "(tarim-open)" in caught.value.detail
    assert "tarim-secret" not in f"{caught.value.detail} {caught.value.facts}"
    restricted = load(tmp_path, places, [secret], crs="EPSG:4214", layer=vector(clearance="restricted"))
    assert restricted.summary.facts["transformation"]["name"] == "tarim-secret"
