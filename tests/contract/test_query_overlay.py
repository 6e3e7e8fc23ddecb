"""What posted lines and areas share with features: against geopandas, and against areas of geodesic polygons (PROJ)."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoservice.queries import meeting, overlay
from geoservice.queries.meeting import Near
from geoservice.queries.overlay import shared
from geoservice.settings import Settings
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.database import copied_database
from tests.support.loading import LEVELS, load_file, prepared, trial_layer, write_rows
from tests.support.service import Service, running

ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
NDJSON, SEQUENCE = "application/x-ndjson", "application/geo+json-seq"
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
FINE = 0.0005
"""Degrees: geodesics so short are as good as straight in longitude and latitude."""


def area_of(shape: shapely.Geometry) -> float:
    """Square metres by PROJ's geodesic polygons: another method than that of the product."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type.endswith("Polygon")]
    dense = [shapely.segmentize(shapely.orient_polygons(p), FINE) for p in parts]
    return float(sum(GEOD.geometry_area_perimeter(p)[0] for p in dense))


def rounding(shape: shapely.Geometry) -> float:
    """What the area rule allows: edges are cut at a kilometre, and each may bow by 8 square metres; 1 mm of lines."""
    kilometres = 111.32 * shapely.length(shape)
    return 1.0 + 8 * kilometres if shape.area else 1e-3


def length_of(shape: shapely.Geometry) -> float:
    """Metres along the lines of a geometry."""
    parts = [p for p in shapely.get_parts(shape) if p.geom_type.endswith("LineString")]
    return float(sum(GEOD.geometry_length(shapely.segmentize(p, FINE)) for p in parts))


def blob(rng: np.random.Generator, x: float, y: float, size: float) -> shapely.Polygon:
    """A star-shaped polygon, every other time with a hole."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 12)) + np.linspace(0, 1e-3, 12)
    radii = rng.uniform(0.5, 1.0, 12) * size
    ring = np.column_stack([x + radii * np.cos(angles), y + radii * np.sin(angles)])
    whole = shapely.make_valid(shapely.Polygon(ring))
    hole = shapely.Point(x, y).buffer(size / 5, quad_segs=2)
    return shapely.difference(whole, hole) if rng.random() < 0.5 else whole


def unit_shapes() -> list[shapely.Geometry]:
    """Areas that overlap one another; some of several parts."""
    rng = np.random.default_rng(21)
    shapes = [blob(rng, *rng.uniform((105, 38), (106, 39)), 0.15) for _ in range(30)]
    shapes += [shapely.union_all([shapes[2 * i], shapely.affinity.translate(shapes[2 * i], 0.7)]) for i in range(5)]
    return shapes


def unit_rows() -> list[dict[str, Any]]:
    """A third of them is restricted."""
    return [
        {
            "code": f"u{i:02}",
            "name": f"单元 {i}",
            "amount": float(i),
            "level": "restricted" if i % 3 == 2 else "public",
            "secret": "CNRY-2-unit-1",
            "geometry": shape,
        }
        for i, shape in enumerate(unit_shapes())
    ]


def asked_shapes() -> list[shapely.Geometry]:
    """Rows of tables: areas with holes and of several parts, lines."""
    rng = np.random.default_rng(22)
    areas = [blob(rng, *rng.uniform((105, 38), (106, 39)), 0.2) for _ in range(12)]
    lines = [shapely.LineString(rng.uniform((104.9, 37.9), (106.1, 39.1), (4, 2))) for _ in range(6)]
    far = shapely.box(10, 10, 11, 11)
    return [*areas, shapely.union_all([areas[0], shapely.affinity.translate(areas[0], 0.5)]), *lines, far]


@pytest.fixture(scope="module")
def service(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    units = trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"})
    ways = trial_layer("way", geometry="line", style={"line": {"colour": "#aa3333", "width": 3}})
    catalog, folder = Catalog().with_([units, ways, trial_layer("stop")], [LEVELS]), tmp_path_factory.mktemp("overlay")
    way = {"code": "w0", "name": "way", "geometry": shapely.LineString([(105, 38.5), (106, 38.5)])}
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "unit", write_rows(folder / "unit.gpkg", unit_rows()))
        load_file(catalog, target, "way", write_rows(folder / "way.gpkg", [way]))
        with running(database, catalog) as found:
            yield found


def post(service: Service, body: bytes, query: str = "", media: str = "text/csv", **headers: str) -> Any:
    path = f"/query/overlay?collection=unit{query}" if "collection=" not in query else f"/query/overlay?{query}"
    return service.client.post(path, content=body, headers={"Content-Type": media, **headers})


def table(shapes: list[shapely.Geometry]) -> bytes:
    lines = [f'{i},"{shapely.to_wkt(shape, rounding_precision=-1)}"' for i, shape in enumerate(shapes)]
    return "\n".join(["id,wkt", *lines, ""]).encode()


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def lines_of(answer: Any) -> list[str]:
    """Lines by their ends alone: record separators are none."""
    return [line for line in answer.text.split("\n") if line]


def stored(service: Service) -> dict[str, shapely.Geometry]:
    """The public units as they are stored."""
    features = service.get("/collections/unit/items?limit=1000").json()["features"]
    return {one["id"]: shapely.geometry.shape(one["geometry"]) for one in features}


def expected(shapes: list[shapely.Geometry], units: dict[str, shapely.Geometry]) -> dict[int, dict[str, float]]:
    """Row -> key -> shared area (m2), or length (m) of rows that are lines."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for row, shape in enumerate(shapes):
        for key, unit in units.items():
            common = shapely.intersection(shape, unit)
            size = area_of(common) if shape.area else length_of(common)
            if size > 0:
                found[row][key] = size
    return found


def test_every_match_as_measured_one_by_one(service: Service) -> None:
    shapes, units = asked_shapes(), stored(service)
    rows = rows_of(post(service, table(shapes), "&matches=all&properties=name"))
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)
    wanted = expected(shapes, units)
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for row in rows:
        number, key = int(row["id"]), row["unit_key"]
        if not key:
            assert number not in wanted
            continue
        is_area = shapes[number].area > 0
        size = float(row["unit_shared_area"] if is_area else row["unit_shared_length"])
        assert (row["unit_shared_length"] if is_area else row["unit_shared_area"]) == ""
        found[number][key] = size
        whole = area_of(shapes[number]) if is_area else length_of(shapes[number])
        assert float(row["unit_share_of_row"]) == pytest.approx(size / whole, rel=1e-6)
        if is_area:
            assert float(row["unit_share_of_feature"]) == pytest.approx(size / area_of(units[key]), rel=1e-6)
        else:
            assert row["unit_share_of_feature"] == ""
    assert {row: set(keys) for row, keys in found.items()} == {row: set(keys) for row, keys in wanted.items()}
    for number, keys in wanted.items():
        for key, size in keys.items():
            common = shapely.intersection(shapes[number], units[key])
            assert found[number][key] == pytest.approx(size, rel=1e-6, abs=rounding(common))
        sizes = list(found[number].values())
        assert sizes == sorted(sizes, reverse=True), "the largest comes first"
    assert sum(map(len, wanted.values())) > 60, "a search that finds nothing proves nothing"


def test_areas_as_geopandas_has_them(service: Service) -> None:
    """An overlay in an equal-area projection, with edges cut so fine that it matters not where they are straight."""
    shapes, units = [shape for shape in asked_shapes() if shape.area], stored(service)
    plane = "+proj=cea +ellps=GRS80"
    left = geopandas.GeoDataFrame({"id": range(len(shapes))}, geometry=shapes, crs=4490)
    right = geopandas.GeoDataFrame({"key": list(units)}, geometry=list(units.values()), crs=4490)
    left, right = (one.set_geometry(one.geometry.segmentize(0.005)).to_crs(plane) for one in (left, right))
    cut = geopandas.overlay(left, right, how="intersection")
    wanted = {(int(one.id), one.key): one.geometry.area for one in cut.itertuples()}
    rows = rows_of(post(service, table(shapes), "&matches=all"))
    found = {(int(row["id"]), row["unit_key"]): float(row["unit_shared_area"]) for row in rows if row["unit_key"]}
    assert found.keys() == wanted.keys()
    assert found == pytest.approx(wanted, rel=1e-6, abs=1000.0)


def test_the_first_match_is_the_largest_and_rows_keep_their_order(service: Service) -> None:
    shapes = asked_shapes()
    wanted = expected(shapes, stored(service))
    rows = rows_of(post(service, table(shapes)))
    assert [int(row["id"]) for row in rows] == list(range(len(shapes)))
    for number, row in enumerate(rows):
        best = max(wanted[number], key=lambda key: wanted[number][key]) if number in wanted else ""
        assert row["unit_key"] == best


def test_small_blocks_and_parts_change_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    body = table(asked_shapes())
    whole = post(service, body, "&matches=all").content
    monkeypatch.setattr(overlay, "BLOCK_ROWS", 3)
    monkeypatch.setattr(overlay, "_MOST_POSITIONS", 50)
    monkeypatch.setattr(meeting, "_PART_BYTES", 300)
    assert post(service, body, "&matches=all").content == whole


def test_faults_of_single_rows(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        b"id,wkt\n"
        b'a,"POLYGON ((105 38, 106 38, 106 39, 105 39, 105 38))"\n'
        b"b,POINT (105 38)\n"
        b"c,nonsense\n"
        b"d,\n"
        b'e,"POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"\n'
        b'f,"POLYGON ((-170 0, 170 0, 170 1, -170 0))"\n'
        b'g,"POLYGON ((105 88, 106 88, 106 99, 105 88))"\n'
    )
    rows = rows_of(post(service, body))
    said = {row["id"]: row["error"] for row in rows}
    assert said["a"] == ""
    assert all(said[name] for name in "bcdefg"), said
    assert "Point" in said["b"]
    assert "Self-intersection" in said["e"]
    assert "180 degrees" in said["f"]
    monkeypatch.setattr(meeting, "MOST_NEAR", 5)
    (crowded, *_) = rows_of(post(service, body))
    assert "more than 5 features" in crowded["error"]
    assert crowded["unit_key"] == ""


def test_all_forms_say_the_same(service: Service) -> None:
    shapes = asked_shapes()
    wanted = [(r["id"], r["unit_key"]) for r in rows_of(post(service, table(shapes), "&matches=all"))]
    frame = pa.table(
        {"id": [str(i) for i in range(len(shapes))], "geometry": pa.array(shapely.to_wkb(shapes).tolist())}
    )
    sink, stream = io.BytesIO(), io.BytesIO()
    pq.write_table(frame, sink)
    with pa.ipc.new_stream(stream, frame.schema) as writer:
        writer.write_table(frame)
    parquet = pq.read_table(io.BytesIO(post(service, sink.getvalue(), "&matches=all", PARQUET).content))
    arrow = pa.ipc.open_stream(io.BytesIO(post(service, stream.getvalue(), "&matches=all", ARROW).content)).read_all()
    for found in (parquet, arrow):
        assert (
            list(zip(found["id"].to_pylist(), [k or "" for k in found["unit_key"].to_pylist()], strict=True)) == wanted
        )
        assert found.schema.field("unit_shared_area").type == pa.float64()
    drawn = [{"id": str(i), "geometry": shapely.geometry.mapping(one)} for i, one in enumerate(shapes)]
    lines = "".join(f"{json.dumps(one)}\n" for one in drawn).encode()
    documents = [json.loads(line) for line in post(service, lines, "&matches=all", NDJSON).text.splitlines()]
    assert [(one["id"], one["unit_key"] or "") for one in documents] == wanted
    features = "".join(f"{json.dumps({'type': 'Feature', 'properties': {}, **one})}\n" for one in drawn).encode()
    sequence = [json.loads(line.lstrip("\x1e")) for line in lines_of(post(service, features, "&matches=all", SEQUENCE))]
    assert [(one["id"], one["properties"]["unit_key"] or "") for one in sequence] == wanted


def test_a_projected_table(service: Service) -> None:
    shape = shapely.box(105.2, 38.2, 105.6, 38.6)
    into = pyproj.Transformer.from_crs(4490, 4543, always_xy=True)
    flat = shapely.transform(shapely.segmentize(shape, 0.002), lambda at: np.column_stack(into.transform(*at.T)))
    degrees = rows_of(post(service, table([shape]), "&matches=all"))
    metres = rows_of(post(service, table([flat]), "&matches=all&crs=EPSG:4543"))
    assert [row["unit_key"] for row in metres] == [row["unit_key"] for row in degrees]
    for one, other in zip(metres, degrees, strict=True):
        assert float(one["unit_shared_area"]) == pytest.approx(float(other["unit_shared_area"]), rel=1e-6, abs=10.0)


def test_areas_and_the_lines_in_them(service: Service) -> None:
    half = shapely.box(105.5, 38, 107, 39)
    (row,) = rows_of(post(service, table([half]), "collection=way"))
    assert float(row["way_shared_length"]) == pytest.approx(
        GEOD.line_length(np.linspace(105.5, 106, 900), [38.5] * 900)
    )
    assert float(row["way_share_of_feature"]) == pytest.approx(0.5, rel=1e-6)
    assert (row["way_shared_area"], row["way_share_of_row"]) == ("", "")
    along = shapely.LineString([(105.25, 38.5), (105.5, 38.5)])
    (row,) = rows_of(post(service, table([along]), "collection=way"))
    assert [float(row[f"way_share_of_{of}"]) for of in ("row", "feature")] == pytest.approx([1.0, 0.25], rel=1e-6)
    assert post(service, table([half]), "collection=stop").status_code == 400


def test_touching_shares_nothing(service: Service) -> None:
    touching = shapely.box(104, 38.5, 105, 39)
    (row,) = rows_of(post(service, table([touching]), "collection=way"))
    assert (row["way_key"], row["error"]) == ("", "")


def test_what_is_hidden_does_not_exist(service: Service) -> None:
    body = table([shapely.box(104, 37, 108, 41)])
    public = post(service, body, "&matches=all")
    assert "CNRY" not in public.text
    hidden = {row["code"] for row in unit_rows() if row["level"] == "restricted"}
    assert not hidden & {row["unit_key"] for row in rows_of(public)}
    assert post(service, body, "&properties=secret").status_code == 400
    assert post(service, body, "&filter=secret='x'").status_code == 400
    full = post(service, body, "&matches=all", **{"X-API-Key": service.keys[Clearance.RESTRICTED]})
    assert hidden <= {row["unit_key"] for row in rows_of(full)}
    assert "CNRY-2" in full.text
    narrowed = rows_of(post(service, body, "&matches=all&filter=amount<4&properties=name"))
    assert {row["unit_key"] for row in narrowed} == {"u00", "u01", "u03"}
    past = rows_of(post(service, body, "&as-of=2001-01-01T00:00:00Z"))
    assert [row["unit_key"] for row in past] == [""]


def test_a_table_without_geometries_is_refused(service: Service) -> None:
    refused = post(service, b"id,lon,lat\n1,105,38\n")
    assert refused.status_code == 400
    assert "geometry" in refused.json()["detail"]
    assert post(service, table([shapely.box(105, 38, 106, 39)]), "&matches=some").status_code == 400


COORDINATES = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
RINGS = st.lists(COORDINATES, min_size=4, max_size=9, unique=True)


@given(ones=st.lists(RINGS, min_size=1, max_size=3), others=st.lists(RINGS, min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_shared_areas_of_any_polygons(ones: list[Any], others: list[Any]) -> None:
    """Any valid areas, of one part or several, with and without holes: as PROJ measures their intersections."""

    def made(rings: list[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
        valid = [shapely.make_valid(shapely.Polygon([(110 + x, 30 + y) for x, y in ring])) for ring in rings]
        areas = [shapely.MultiPolygon([p for p in _flat(one) if p.geom_type == "Polygon"]) for one in valid]
        return np.array([one.buffer(0) for one in areas], dtype=np.object_)

    rows, features = made(ones), made(others)
    pairs = np.array([(i, j) for i in range(len(rows)) for j in range(len(features))], dtype=np.int64)
    near = Near(pairs[:, 0], pairs[:, 1], features, pa.table({"_key": [str(i) for i in range(len(features))]}))
    sizes = np.array([area_of(one) for one in rows])
    found = shared(rows, sizes, near, 0)
    told = {(r, f): m for r, f, m in zip(found.rows.tolist(), found.features.tolist(), found.measure, strict=True)}
    for i, j in pairs.tolist():
        common = shapely.intersection(rows[i], features[j])
        assert told.get((i, j), 0.0) == pytest.approx(area_of(common), rel=1e-6, abs=rounding(common))
    assert (found.of_row <= 1).all()
    assert (found.of_feature <= 1).all()


def _flat(shape: shapely.Geometry) -> list[shapely.Geometry]:
    parts = list(shapely.get_parts(shape))
    return [inner for part in parts for inner in shapely.get_parts(part)]
