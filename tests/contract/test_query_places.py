"""What is here, near, within and around, over HTTP: against shapely and PROJ, and for readers of each clearance."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyproj
import pytest
import shapely

from geoservice.queries import identify_table, meeting
from geoservice.settings import Settings
from ingest.raster import load_raster
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.database import copied_database
from tests.support.loading import BASE, LEVELS, load_file, prepared, trial_layer, write_rows
from tests.support.rasters import COVER, grid, raster_layer, raster_plan, write_tif
from tests.support.service import Service, running

GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
RELIEF = raster_layer("relief")
WEST, SOUTH = 105.0, 38.0


OFFICE: dict[str, Any] = {
    "postcode": {"type": "text"},
    "office": {"type": "text"},
    "adcode": {"type": "text"},
    "level": BASE["attributes"]["level"],
}


def catalog() -> Catalog:
    """Points, lines, polygons and a raster."""
    return Catalog().with_(
        [
            trial_layer("spot"),
            trial_layer("way", geometry="line", style={"line": {"colour": "#aa3333", "width": 3}}),
            trial_layer("field", geometry="polygon", style={"fill": "#2e8b57"}),
            trial_layer("shut", geometry="polygon", clearance="restricted", style={"fill": "#000000"}),
            trial_layer("division", geometry="polygon", style={"fill": "#444444"}),
            trial_layer("postcode", attributes=OFFICE, key=["postcode", "office"], time=None),
            RELIEF,
        ],
        [LEVELS, COVER],
    )


def spots() -> list[dict[str, Any]]:
    """Points everywhere, also near 180 degrees and the pole; a third of them is restricted."""
    rng = np.random.default_rng(11)
    places = [(*rng.uniform((104.5, 37.5), (106, 39)),) for _ in range(300)]
    places += [
        (179.99, 10.0),
        (-179.98, 10.0),
        (179.5, 10.0),
        (20.0, 89.5),
        (-160.0, 89.6),
        (100.0, 70.0),
        (101.0, 70.2),
    ]
    return [
        {
            "code": f"s{i:03}",
            "name": f"点 {i}",
            "level": "restricted" if i % 3 == 2 else "public",
            "secret": "CNRY-2-spot-1",
            "geometry": shapely.Point(*place),
        }
        for i, place in enumerate(places)
    ]


def others() -> dict[str, list[dict[str, Any]]]:
    """Rows of the other layers."""
    ways = [shapely.LineString([(WEST, SOUTH), (WEST + 0.3, SOUTH + 0.1)]), shapely.LineString([(104, 37), (104, 40)])]
    fields = [
        shapely.box(WEST, SOUTH, WEST + 0.1, SOUTH + 0.1),
        shapely.box(WEST + 0.1, SOUTH, WEST + 0.2, SOUTH + 0.1),
    ]
    return {
        "way": [{"code": f"w{i}", "name": "way", "geometry": shape} for i, shape in enumerate(ways)],
        "field": [
            {"code": f"f{i}", "name": "field", "level": "public", "geometry": shape} for i, shape in enumerate(fields)
        ],
        "shut": [{"code": "CNRY-2-shut-0", "name": "x", "geometry": fields[0]}],
        "division": [
            {"code": code, "name": code, "level": "public", "geometry": shapely.box(110 + i, 38, 111 + i, 39)}
            for i, code in enumerate(("990101001", "990101002", "990101003"))
        ],
        "postcode": [
            {
                "postcode": code,
                "office": adcode,
                "adcode": adcode,
                "level": level,
                "geometry": shapely.Point(110.5, 38.5),
            }
            for code, adcode, level in (
                ("755001", "990101001", "public"),
                ("755001", "990101002", "public"),
                ("755001", "990101003", "restricted"),
                ("755002", "990101999", "public"),
                ("755003", "990101003", "restricted"),
            )
        ],
    }


@pytest.fixture(scope="module")
def service(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    layers, folder = catalog(), tmp_path_factory.mktemp("places")
    with copied_database(cluster_settings) as database:
        target = prepared(database, layers)
        for name, rows in {"spot": spots(), **others()}.items():
            load_file(layers, target, name, write_rows(folder / f"{name}.gpkg", rows))
        cells = np.arange(400, dtype="float32").reshape(20, 20)
        load_raster(raster_plan(RELIEF, write_tif(folder / "relief.tif", cells, grid(WEST, SOUTH + 0.2, 0.01))), target)
        with running(database, layers) as found:
            yield found


def keys(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200, answer.text
    return {one["id"]: [feature["id"] for feature in one["features"]] for one in answer.json()["collections"]}


def post(service: Service, path: str, body: Any, clearance: Clearance | None = None) -> Any:
    headers = {} if clearance is None else {"X-API-Key": service.keys[clearance]}
    return service.client.post(path, json=body, headers=headers)


def test_what_is_at_a_point(service: Service) -> None:
    answer = service.get("/query/identify?lon=105.05&lat=38.05")
    assert keys(answer) == {"field": ["f0"]}
    found = answer.json()
    assert found["collections"][0]["edition"] == 3
    feature = found["collections"][0]["features"][0]
    assert feature["properties"]["name"] == "field"
    assert feature["codes"] == {"level": {"zh": "public", "en": "public"}}
    # Row 15 from the north, column 5.
    assert found["rasters"][0]["values"] == [{"band": "height", "value": 305.0, "unit": "m"}]


def test_tolerance_in_metres_and_in_pixels(service: Service) -> None:
    line = others()["way"][0]["geometry"]
    at = shapely.Point(105.15, 38.06)
    metres = min(
        GEOD.inv(at.x, at.y, *line.interpolate(share, normalized=True).coords[0])[2]
        for share in np.linspace(0, 1, 5_000)
    )
    near = f"/query/identify?lon={at.x}&lat={at.y}&collections=way"
    assert keys(service.get(f"{near}&tolerance={metres * 0.98}")) == {}
    assert keys(service.get(f"{near}&tolerance={metres * 1.02}")) == {"way": ["w0"]}
    pixel = 156_543.033928041 * np.cos(np.radians(at.y)) / 2**10
    assert keys(service.get(f"{near}&zoom=10&pixels={metres / pixel * 0.98}")) == {}
    assert keys(service.get(f"{near}&zoom=10&pixels={metres / pixel * 1.02}")) == {"way": ["w0"]}


def test_borders_count_and_both_neighbours_are_told(service: Service) -> None:
    assert keys(service.get("/query/identify?lon=105.1&lat=38.05")) == {"field": ["f0", "f1"]}


def test_intersects_and_within_as_shapely_says(service: Service) -> None:
    zone = shapely.Polygon([(104.8, 37.8), (105.9, 37.9), (105.5, 38.7), (104.9, 38.4)])
    public = [row for row in spots() if row["level"] == "public"]
    body = {"geometry": shapely.geometry.mapping(zone)}
    for relation in ("intersects", "within"):
        found = keys(post(service, f"/query/{relation}?limit=1000", body))
        assert sorted(found["spot"]) == sorted(row["code"] for row in public if zone.covers(row["geometry"]))
        assert found["field"] == ["f0", "f1"]
        assert found.get("way", []) == (["w0"] if zone.covers(others()["way"][0]["geometry"]) else [])
        assert "shut" not in found
    cut = {"bbox": [105.05, 38.0, 105.3, 38.2]}
    assert keys(post(service, "/query/intersects?collections=field", cut)) == {"field": ["f0", "f1"]}
    assert keys(post(service, "/query/within?collections=field", cut)) == {"field": ["f1"]}
    line = {"geometry": {"type": "LineString", "coordinates": [[105.15, 37.9], [105.15, 38.2]]}}
    assert keys(post(service, "/query/intersects?collections=field,way", line)) == {"field": ["f1"], "way": ["w0"]}
    assert keys(service.get("/query/within?zone=field/f0&collections=field")) == {"field": ["f0"]}


def test_limits_are_told(service: Service) -> None:
    found = service.get("/query/intersects?bbox=104,37,107,40&collections=spot&limit=5").json()["collections"][0]
    assert (len(found["features"]), found["more"]) == (5, True)
    with_shapes = service.get("/query/intersects?bbox=105,38,105.01,38.01&collections=field&geometry=true").json()
    assert with_shapes["collections"][0]["features"][0]["geometry"]["type"] in ("Polygon", "MultiPolygon")


def test_hidden_rows_and_layers_are_not_there(service: Service) -> None:
    everything = "/query/intersects?bbox=-180,-90,180,90&limit=1000"
    for asker in (None, Clearance.INTERNAL):
        answer = service.get(everything, asker)
        assert "CNRY" not in answer.text
        assert "secret" not in answer.text
    seen = service.get(everything, Clearance.RESTRICTED)
    assert "CNRY-2-shut-0" in seen.text
    assert "CNRY-2-spot-1" in seen.text
    assert service.get("/query/identify?lon=105&lat=38&collections=shut").status_code == 404
    assert service.get("/query/nearest?collection=shut&lon=105&lat=38").status_code == 404
    assert service.get("/query/identify?lon=105&lat=38&zone=shut/x").status_code == 400
    assert service.get("/query/within?zone=shut/CNRY-2-shut-0").status_code == 404


@pytest.mark.parametrize(
    ("x", "y"),
    [(105.3, 38.2), (105.0, 38.0), (179.999, 10.0), (-179.999, 10.0), (0.0, 89.9), (100.4, 70.0), (-60.0, -40.0)],
)
@pytest.mark.parametrize("k", [1, 7])
def test_nearest_as_measured_one_by_one(service: Service, x: float, y: float, k: int) -> None:
    answer = service.get(f"/query/nearest?collection=spot&lon={x}&lat={y}&k={k}").json()["features"]
    public = [row for row in spots() if row["level"] == "public"]
    far = sorted((GEOD.inv(x, y, row["geometry"].x, row["geometry"].y)[2], row["code"]) for row in public)[:k]
    assert [one["id"] for one in answer] == [code for _, code in far]
    assert [one["distance"] for one in answer] == pytest.approx([metres for metres, _ in far], abs=1e-3)


def test_nearest_within_a_distance_and_filtered(service: Service) -> None:
    near = service.get("/query/nearest?collection=spot&lon=105.3&lat=38.2&k=100&within=8000").json()["features"]
    public = [row for row in spots() if row["level"] == "public"]
    expected = [r["code"] for r in public if GEOD.inv(105.3, 38.2, r["geometry"].x, r["geometry"].y)[2] <= 8000]
    assert sorted(one["id"] for one in near) == sorted(expected)
    one = service.get("/query/nearest?collection=spot&lon=105.3&lat=38.2&filter=code='s306'&properties=name").json()
    assert [(f["id"], f["properties"]) for f in one["features"]] == [("s306", {"name": "点 306"})]
    inside = service.get("/query/nearest?collection=field&lon=105.1&lat=38.05&k=2").json()["features"]
    assert [(f["id"], f["distance"]) for f in inside] == [("f0", 0.0), ("f1", 0.0)]
    past = service.get("/query/nearest?collection=spot&lon=105&lat=38&as-of=2001-01-01T00:00:00Z")
    assert past.json()["features"] == []


def test_nearest_for_a_table(service: Service) -> None:
    rng = np.random.default_rng(3)
    frame = pa.table({"lon": rng.uniform(104, 107, 300), "lat": rng.uniform(37, 40, 300)})
    sink = io.BytesIO()
    pyarrow.csv.write_csv(frame, sink)
    body = sink.getvalue() + b"x,y\n"
    answer = service.client.post(
        "/query/nearest/batch?collection=spot&properties=name", content=body, headers={"Content-Type": "text/csv"}
    )
    rows = pyarrow.csv.read_csv(io.BytesIO(answer.content)).to_pylist()
    public = [row for row in spots() if row["level"] == "public"]
    lon, lat = (np.array([getattr(row["geometry"], side) for row in public]) for side in "xy")
    for row, x, y in zip(rows, frame["lon"].to_pylist(), frame["lat"].to_pylist(), strict=False):
        metres = GEOD.inv(np.full(len(lon), x), np.full(len(lon), y), lon, lat)[2]
        assert row["spot_key"] == public[int(np.argmin(metres))]["code"]
        assert row["spot_distance"] == pytest.approx(metres.min(), abs=1e-3)
    assert rows[-1]["error"]


def test_surroundings(service: Service) -> None:
    found = service.get("/query/buffer?lon=105&lat=38&distance=1000").json()
    area = shapely.geometry.shape(found["geometry"])
    assert area.is_valid
    assert found["properties"]["area_m2"] == pytest.approx(np.pi * 1e6, rel=1e-3)
    around = post(
        service, "/query/buffer?distance=500", {"geometry": shapely.geometry.mapping(shapely.box(105, 38, 105.1, 38.1))}
    )
    assert shapely.geometry.shape(around.json()["geometry"]).contains(shapely.box(105, 38, 105.1, 38.1))
    assert service.get("/query/buffer?lon=105&lat=38&distance=1e9").status_code == 400


def test_how_large_and_how_long(service: Service) -> None:
    found = service.get("/query/measure?bbox=105,38,105.01,38.01").json()
    ring = np.array(shapely.box(105, 38, 105.01, 38.01).segmentize(0.0005).exterior.coords)
    size, around = GEOD.polygon_area_perimeter(ring[:, 0], ring[:, 1])
    assert found["area_m2"] == pytest.approx(abs(size), rel=1e-7)
    assert found["area_mu"] == pytest.approx(abs(size) * 3 / 2000, rel=1e-7)
    assert found["perimeter_m"] == pytest.approx(around, rel=1e-7)
    line = {"type": "LineString", "coordinates": [[105, 38], [105.01, 38], [105.01, 38.01]]}
    told = post(service, "/query/measure", {"geometry": line}).json()
    assert [edge["azimuth"] for edge in told["edges"]] == pytest.approx([90, 0], abs=0.01)
    assert told["length_m"] == pytest.approx(sum(edge["length_m"] for edge in told["edges"]), abs=0.002)


def test_lines_that_nobody_could_measure_are_refused(service: Service) -> None:
    zigzag = {"type": "LineString", "coordinates": [[(-89, 89)[n % 2], n / 1000] for n in range(4000)]}
    for path in ("/query/measure", "/query/identify", "/query/buffer?distance=5"):
        assert post(service, path, {"geometry": zigzag}).status_code == 413


def test_values_at_points_along_lines_and_for_tables(service: Service) -> None:
    assert service.get("/query/values?collection=relief&lon=105.05&lat=38.05").json()["values"][0]["value"] == 305.0
    line = {"geometry": {"type": "LineString", "coordinates": [[105.005, 38.005], [105.195, 38.005]]}}
    rows = post(service, "/query/values?collection=relief&spacing=1000&method=bilinear", line).json()["values"]
    assert [row["distance"] for row in rows[:3]] == [0.0, 1000.0, 2000.0]
    assert rows[0]["height"] == pytest.approx(380.0)
    assert rows[-1]["height"] == pytest.approx(399.0)
    expected = [380.0 + (row["lon"] - 105.005) / 0.01 for row in rows]
    assert [row["height"] for row in rows] == pytest.approx(expected, abs=1e-3)
    body = b"id,lon,lat\na,105.05,38.05\nb,0,0\nc,,\n"
    answer = service.client.post(
        "/query/values/batch?collection=relief", content=body, headers={"Content-Type": "text/csv"}
    )
    table = pyarrow.csv.read_csv(io.BytesIO(answer.content)).to_pylist()
    assert [row["relief_height"] for row in table] == [305.0, None, None]
    assert [bool(row["error"]) for row in table] == [False, False, True]
    assert service.get("/query/values?collection=spot&lon=105&lat=38").status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/query/identify", 400),
        ("/query/identify?lon=1", 400),
        ("/query/identify?lon=1&lat=1&bbox=1,1,2,2", 400),
        ("/query/identify?lon=1&lat=91", 400),
        ("/query/identify?lon=nan&lat=1", 400),
        ("/query/identify?lon=1&lat=1&collections=none", 404),
        ("/query/identify?lon=1&lat=1&tolerance=1&zoom=3", 400),
        ("/query/within?zone=field/none", 404),
        ("/query/within?adcode=990101", 404),
        ("/query/nearest?collection=spot&lon=1&lat=1&k=101", 400),
        ("/query/nearest?collection=relief&lon=1&lat=1", 400),
        ("/query/nearest?collection=spot&lon=1&lat=1&filter=secret='x'", 400),
    ],
)
def test_bad_questions_are_refused(service: Service, path: str, status: int) -> None:
    answer = service.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("geometry", "status"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, 422),
        ({"type": "LineString", "coordinates": [[0, 0], [0, 0]]}, 422),
        ({"type": "LineString", "coordinates": [[-170, 0], [170, 0]]}, 422),
        ({"type": "Point", "coordinates": [1e999, 0]}, 422),
        ({"type": "Point", "coordinates": "x"}, 422),
        ({"type": "Point", "coordinates": [0, 100]}, 422),
        ({"type": "MultiPoint", "coordinates": [[0, 0]] * 30_000}, 413),
        ({"type": "Circle"}, 422),
        ("text", 422),
    ],
)
def test_bad_geometries_are_refused_with_the_place(service: Service, geometry: Any, status: int) -> None:
    text = json.dumps({"geometry": geometry})
    for path in ("/query/intersects", "/query/identify", "/query/buffer?distance=5"):
        answer = service.client.post(path, content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, (path, answer.text)
        assert answer.json()["detail"]


def box_of(answer: Any) -> list[float]:
    assert answer.status_code == 200, answer.text
    (box,) = answer.json()["place"]["boxes"]
    return list(box)


def test_areas_with_names(service: Service) -> None:
    """Each way to name an area means the same by GET and in a body, in all questions about places."""
    sheet = [105.0, 38.0, 105.25, 38 + 1 / 6]
    named = {
        # One sheet of 1:50,000 north of the parallel of 38 degrees and east of the meridian of 105 (GB/T 13989).
        "sheet": ("J48E012013", sheet),
        "division": ("990101002", [111.0, 38.0, 112.0, 39.0]),
        "adcode": ("990101002000", [111.0, 38.0, 112.0, 39.0]),
        "postcode": ("755001", [110.0, 38.0, 112.0, 39.0]),
        "feature": ("field/f1", [105.1, 38.0, 105.2, 38.1]),
    }
    for way, (value, box) in named.items():
        for question in ("identify", "intersects", "within"):
            by_name = service.get(f"/query/{question}?{way}={value}")
            assert box_of(by_name) == pytest.approx(box), (way, question)
            assert post(service, f"/query/{question}", {way: value}).json() == by_name.json()
        ring = service.get(f"/query/buffer?{way}={value}&distance=1").json()
        assert shapely.geometry.shape(ring["geometry"]).covers(shapely.box(*box).buffer(-1e-6))
    assert keys(service.get("/query/within?sheet=J48E012013&collections=field")) == {"field": ["f0", "f1"]}
    assert service.get("/query/within?zone=field/f1").json() == service.get("/query/within?feature=field/f1").json()


def test_a_postcode_means_the_divisions_of_the_offices_one_may_see(service: Service) -> None:
    everything = service.get("/query/within?postcode=755001", Clearance.RESTRICTED)
    assert box_of(everything) == [110.0, 38.0, 113.0, 39.0]
    for missing in ("755002", "755003", "999999"):
        answer = service.get(f"/query/within?postcode={missing}")
        assert answer.status_code == 404, "one whose office is hidden is as unknown as one that does not exist"
        assert answer.json()["detail"].replace(missing, "") == "There is no postcode '' that could be a zone."
    assert box_of(service.get("/query/within?postcode=755003", Clearance.RESTRICTED)) == [112.0, 38.0, 113.0, 39.0]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("sheet=Z99", 400),
        ("postcode=12", 400),
        ("postcode=75500１", 400),
        ("feature=field", 400),
        ("feature=shut/CNRY-2-shut-0", 404),
        ("division=990101998", 404),
        ("sheet=J48E012013&postcode=755001", 400),
        ("feature=field/f1&zone=field/f1", 400),
    ],
)
def test_names_that_name_nothing(service: Service, query: str, status: int) -> None:
    answer = service.get(f"/query/intersects?{query}")
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].endswith(".")


POINTS = b"id,lon,lat\na,105.05,38.05\nb,105.1,38.05\nc,x,1\nd,0,0\n"


def identified(service: Service, query: str = "", body: bytes = POINTS, clearance: Clearance | None = None) -> Any:
    headers = {"Content-Type": "text/csv"} | ({} if clearance is None else {"X-API-Key": service.keys[clearance]})
    answer = service.client.post(f"/query/identify/batch?{query}", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_what_is_at_many_points(service: Service) -> None:
    rows = identified(service)
    told = [(row["id"], row["found_collection"], row["found_key"]) for row in rows]
    assert told == [
        ("a", "field", "f0"),
        ("a", "relief", ""),
        ("b", "field", "f0"),
        ("b", "field", "f1"),
        ("b", "relief", ""),
        ("c", "", ""),
        ("d", "", ""),
    ]
    assert [bool(row["error"]) for row in rows] == [False] * 5 + [True, False]
    assert json.loads(rows[0]["found_properties"])["name"] == "field"
    assert json.loads(rows[1]["found_properties"]) == {"height": 305.0}
    assert len(identified(service, "collections=field&limit=1")) == 4
    assert len(identified(service, "collections=field&as-of=2001-01-01T00:00:00Z")) == 4


@pytest.mark.parametrize("metres", [0, 9_000])
@pytest.mark.parametrize("clearance", [None, Clearance.RESTRICTED])
def test_many_points_as_one_by_one(
    service: Service, metres: int, clearance: Clearance | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same features as `identify` gives for each point, however blocks and parts are cut."""
    monkeypatch.setattr(identify_table, "BLOCK_ROWS", 7)
    monkeypatch.setattr(meeting, "_PART_BYTES", 500)
    rng = np.random.default_rng(9)
    points = [(round(x, 6), round(y, 6)) for x, y in rng.uniform((104.95, 37.95), (105.25, 38.15), (20, 2)).tolist()]
    body = "lon,lat\n" + "".join(f"{x},{y}\n" for x, y in points)
    found: dict[tuple[float, float], set[tuple[str, str]]] = {point: set() for point in points}
    for row in identified(service, f"limit=100&tolerance={metres}", body.encode(), clearance):
        if row["found_key"]:
            found[float(row["lon"]), float(row["lat"])].add((row["found_collection"], row["found_key"]))
    for x, y in points:
        one = service.get(f"/query/identify?lon={x}&lat={y}&limit=100&tolerance={metres}", clearance)
        assert found[x, y] == {(name, key) for name, listed in keys(one).items() for key in listed}
    told = {key for here in found.values() for _, key in here}
    assert ("CNRY-2-shut-0" in told) == (clearance is not None)
    assert len(told) > (10 if metres else 1)


def test_a_hidden_collection_is_a_missing_one(service: Service) -> None:
    headers = {"Content-Type": "text/csv"}
    for name in ("shut", "none"):
        answer = service.client.post(f"/query/identify/batch?collections={name}", content=POINTS, headers=headers)
        assert answer.status_code == 404
    rows = identified(service, clearance=None)
    assert "CNRY" not in json.dumps(rows)
    assert "CNRY-2-shut-0" in json.dumps(identified(service, clearance=Clearance.RESTRICTED))
