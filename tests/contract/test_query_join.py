"""The join over HTTP: all formats, faults of single rows, borders, both engines, what a reader may not see."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import shapely

from geoservice.queries.memory import PolygonShelf
from geoservice.settings import Settings
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.database import copied_database
from tests.support.loading import LEVELS, load_file, prepared, trial_layer, write_rows
from tests.support.service import Service, running

WEST, SOUTH = 105.0, 38.0
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
NDJSON, SEQUENCE = "application/x-ndjson", "application/geo+json-seq"


def unit_catalog() -> Catalog:
    """Squares that share borders; some rows and one attribute are hidden from the public. And a layer of points."""
    units = trial_layer("unit", geometry="polygon", style={"fill": "#aabbcc"})
    return Catalog().with_([units, trial_layer("stop")], [LEVELS])


def unit_rows() -> list[dict[str, Any]]:
    """Four by four squares of 0.1 degree, named by column and row; the last one is restricted."""
    return [
        {
            "code": f"u{row}{column}",
            "name": f"单元 {row}{column}",
            "amount": float(row * 4 + column),
            "level": "restricted" if (row, column) == (3, 3) else "public",
            "secret": "CNRY-2-unit-1",
            "seen": "2026-03-04",
            "geometry": shapely.box(
                WEST + column / 10, SOUTH + row / 10, WEST + (column + 1) / 10, SOUTH + (row + 1) / 10
            ),
        }
        for row in range(4)
        for column in range(4)
    ]


@pytest.fixture(scope="module")
def service(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog, folder = unit_catalog(), tmp_path_factory.mktemp("units")
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "unit", write_rows(folder / "unit.gpkg", unit_rows()))
        with running(database, catalog) as found:
            yield found


def join(service: Service, body: bytes, media: str = "text/csv", query: str = "", **headers: str) -> Any:
    fields = {"Content-Type": media, **headers}
    return service.client.post(f"/query/join?collection=unit{query}", content=body, headers=fields)


CSV = (
    "id,lon,lat\n"
    "001,105.05,38.05\n"
    '"a, ""b""",105.15,38.05\n'
    "nowhere,104.0,38.05\n"
    "bad,x,38.05\n"
    "short,1\n"
    "empty,,38.05\n"
    "far,105.05,95\n"
    "hidden,105.35,38.35\n"
    "last,105.25,38.25\n"
)


def rows_of(body: bytes) -> list[dict[str, Any]]:
    strings = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(("id", "lon", "lat", "unit_key", "unit_name", "error"), pa.string())
    )
    found: list[dict[str, Any]] = pyarrow.csv.read_csv(io.BytesIO(body), convert_options=strings).to_pylist()
    return found


def test_csv_keeps_order_and_says_what_is_wrong_with_a_row(service: Service) -> None:
    answer = join(service, CSV.encode(), query="&properties=name,amount,seen")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["geoservice-edition"] == "1"
    rows = rows_of(answer.content)
    assert [row["id"] for row in rows] == ["001", 'a, "b"', "nowhere", "bad", "", "empty", "far", "hidden", "last"]
    assert [row["unit_key"] for row in rows] == ["u00", "u01", "", "", "", "", "", "", "u22"]
    assert [row["unit_name"] for row in rows][:2] == ["单元 00", "单元 01"]
    assert rows[8]["unit_amount"] == 10.0
    assert str(rows[0]["unit_seen"]) == "2026-03-04"
    errors = [row["error"] for row in rows]
    assert [bool(error) for error in errors] == [False, False, False, True, True, True, True, False, False]
    assert errors[3] == "lon is not a number: 'x'."
    assert errors[4] == "The row has 2 values, the header 3: 'short,1'."
    assert errors[5] == "lon is empty."
    assert "outside the world" in errors[6]


def table() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(["a", None, "c"]),
            "lon": pa.array([105.05, 105.15, None]),
            "lat": pa.array([38.05, 38.05, 38.05]),
            "when": pa.array([1, 2, 3], pa.timestamp("us")),
        }
    )


EXPECTED = ["u00", "u01", None]


def test_parquet_and_arrow_keep_types(service: Service) -> None:
    sink = io.BytesIO()
    pq.write_table(table(), sink)
    answer = join(service, sink.getvalue(), PARQUET)
    assert answer.status_code == 200, answer.text
    parquet = pq.read_table(io.BytesIO(answer.content))
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, table().schema) as writer:
        writer.write_table(table())
    answer = join(service, stream.getvalue(), ARROW)
    assert answer.status_code == 200, answer.text
    arrow = pa.ipc.open_stream(io.BytesIO(answer.content)).read_all()
    for found in (parquet, arrow):
        assert found.select(table().schema.names).equals(table())
        assert found["unit_key"].to_pylist() == EXPECTED
        assert found["unit_amount"].to_pylist() == [0.0, 1.0, None]
        assert found["error"].to_pylist() == [None, None, "lon is empty."]


def test_lines_of_json_and_features(service: Service) -> None:
    lines = [{"id": 1, "lon": 105.05, "lat": 38.05}, {"id": 2, "lon": "105.15", "lat": 38.05}, {"id": 3}]
    body = "\n".join([*map(json.dumps, lines), "nonsense", '{"lon": NaN, "lat": 1}', "[1]"]).encode()
    answer = join(service, body, NDJSON, "&properties=name")
    found = [json.loads(line) for line in answer.text.split("\n") if line]
    assert [one["unit_key"] for one in found] == ["u00", "u01", None, None, None, None]
    assert [one.get("id") for one in found[:3]] == [1, 2, 3]
    assert [one["error"] is None for one in found] == [True, True, False, False, False, False]

    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [105.05, 38.05]}, "properties": {"a": 1}}
    broken = {**point, "geometry": {"type": "Point", "coordinates": ["x"]}}
    answer = join(service, "".join(f"\x1e{json.dumps(one)}\n" for one in (point, broken)).encode(), SEQUENCE)
    found = [json.loads(line.lstrip("\x1e")) for line in answer.text.split("\n") if line]
    assert found[0]["geometry"] == point["geometry"]
    assert (found[0]["properties"]["a"], found[0]["properties"]["unit_key"]) == (1, "u00")
    assert found[1]["properties"]["error"]


def test_wkt_and_projected_coordinates(service: Service) -> None:
    body = b'id,shape\n1,POINT (105.05 38.05)\n2,nonsense\n3,\n4,"POLYGON ((0 0, 1 1, 1 0, 0 0))"\n'
    rows = rows_of(join(service, body, query="&geometry=shape").content)
    assert [row["unit_key"] for row in rows] == ["u00", "", "", ""]
    assert [bool(row["error"]) for row in rows] == [False, True, True, True]
    # 105.05 E, 38.05 N in the zone of the meridian 102 E (EPSG:4543), by pyproj.
    body = b"east,north\n767737.6792,4217442.4227\n"
    rows = rows_of(join(service, body, query="&x=east&y=north&crs=EPSG:4543").content)
    assert rows[0]["unit_key"] == "u00"
    refused = join(service, body, query="&x=east&y=north&crs=http://evil.example/crs")
    assert refused.status_code == 400
    assert "CRS84" in refused.json()["detail"]


def test_a_point_on_a_border_has_one_answer_everywhere(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [(WEST + i / 20, SOUTH + j / 20) for i in range(9) for j in range(9)]
    body = ("lon,lat\n" + "".join(f"{x!r},{y!r}\n" for x, y in ticks)).encode()
    restricted = {"X-API-Key": service.keys[Clearance.RESTRICTED]}
    memory = [row["unit_key"] for row in rows_of(join(service, body, **restricted).content)]
    assert len(service.client.app.state.house.queries.polygons) > 0  # type: ignore[attr-defined]
    boxes = {row["code"]: row["geometry"] for row in unit_rows()}
    expected = [min(code for code, box in boxes.items() if box.intersects(shapely.Point(x, y))) for x, y in ticks]
    assert memory == expected
    # The same through the database, as it is asked when polygons are too many for memory.
    monkeypatch.setattr(service.client.app.state.house.queries, "polygons", PolygonShelf(0))  # type: ignore[attr-defined]
    assert [row["unit_key"] for row in rows_of(join(service, body, **restricted).content)] == expected
    for (x, y), code in list(zip(ticks, expected, strict=True))[::9]:
        one = service.get(f"/query/join?collection=unit&lon={x!r}&lat={y!r}", Clearance.RESTRICTED).json()
        assert one["properties"]["key"] == code


def test_both_engines_agree_on_random_points(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    frame = pa.table({"lon": rng.uniform(104.9, 105.5, 20_000), "lat": rng.uniform(37.9, 38.5, 20_000)})
    sink = io.BytesIO()
    pq.write_table(frame, sink)
    first = pq.read_table(io.BytesIO(join(service, sink.getvalue(), PARQUET).content))
    monkeypatch.setattr(service.client.app.state.house.queries, "polygons", PolygonShelf(0))  # type: ignore[attr-defined]
    second = pq.read_table(io.BytesIO(join(service, sink.getvalue(), PARQUET).content))
    assert first.equals(second)
    assert 0 < first["unit_key"].null_count < first.num_rows


def test_what_is_hidden_does_not_exist(service: Service) -> None:
    body = b"lon,lat\n105.35,38.35\n"
    public = join(service, body)
    assert b"CNRY" not in public.content
    assert b"secret" not in public.content
    assert rows_of(public.content)[0]["unit_key"] == ""
    assert join(service, body, query="&properties=secret").status_code == 400
    full = join(service, body, **{"X-API-Key": service.keys[Clearance.RESTRICTED]})
    assert b"CNRY-2" in full.content, "a search that finds nothing proves nothing"
    # Again as the public, now that somebody of more clearance has filled the memory.
    assert join(service, body).content == public.content
    missing = service.client.post("/query/join?collection=nothing", content=body, headers={"Content-Type": "text/csv"})
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("body", "media", "query", "status"),
    [
        (b"", "text/csv", "", 400),
        (b"a,b\n1,2\n", "text/csv", "", 400),
        (b"lon,lon,lat\n1,2,3\n", "text/csv", "", 400),
        (b"lon,lat,error\n1,2,3\n", "text/csv", "", 400),
        (b"lon,lat,unit_key\n1,2,3\n", "text/csv", "", 400),
        (b"lon,lat\n1,2\n", "text/csv", "&x=east", 400),
        (b"PAR1nonsense", PARQUET, "", 400),
        (b"nonsense", ARROW, "", 400),
        (b"lon,lat\n1,2\n", "text/html", "", 415),
        (b"lon,lat\n1,2\n", "text/csv", "&properties=none", 400),
        (b"lon,lat\n1,2\n", "text/csv", "&crs=EPSG:27700", 400),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    service: Service, body: bytes, media: str, query: str, status: int
) -> None:
    answer = join(service, body, media, query)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"].endswith((".", "?"))


def test_packed_bodies(service: Service) -> None:
    packed = gzip.compress(CSV.encode())
    answer = join(service, packed, **{"Content-Encoding": "gzip"})
    assert rows_of(answer.content)[0]["unit_key"] == "u00"
    assert join(service, packed[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert join(service, b"nonsense", **{"Content-Encoding": "gzip"}).status_code == 400
    assert join(service, packed, **{"Content-Encoding": "br"}).status_code == 415


def test_buffers_that_say_how_large_they_become_are_refused(service: Service) -> None:
    stream = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(stream, table().schema, options=options) as writer:
        writer.write_table(table())
    answer = join(service, stream.getvalue(), ARROW)
    assert answer.status_code == 400
    assert "compressed" in answer.json()["detail"]


def test_a_table_without_rows_has_an_answer_without_rows(service: Service) -> None:
    answer = join(service, b"lon,lat\n", query="&properties=name")
    assert answer.status_code == 200
    assert answer.text.replace('"', "").strip() == "lon,lat,unit_key,unit_name,error"


def test_a_single_point(service: Service) -> None:
    found = service.get("/query/join?collection=unit&lon=105.05&lat=38.05&properties=name").json()
    assert found["found"] is True
    assert found["properties"] == {"key": "u00", "name": "单元 00"}
    assert service.get("/query/join?collection=unit&lon=0&lat=0").json()["properties"] is None
    assert service.get("/query/join?collection=unit&lon=0&lat=91").status_code == 400
    assert service.get("/query/join?collection=stop&lon=0&lat=1").status_code == 400
    before = service.get("/query/join?collection=unit&lon=105.05&lat=38.05&as-of=2001-01-01T00:00:00Z").json()
    assert before["found"] is False
