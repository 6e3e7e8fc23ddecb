"""Tables that are hostile or broken: what cannot be answered is said, memory stays bounded, order is kept."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geoservice.jobs.errors import UploadTooSlow
from geoservice.queries.desk import QueryDesk
from geoservice.queries.errors import TableUnreadable, TooManyBatches
from geoservice.queries.memory import PolygonShelf
from geoservice.queries.spool import Bounds, spooled
from geoservice.queries.tables import arrow, comma, documents
from geoservice.queries.tables.forms import open_table
from geoservice.queries.tables.model import Batch, Columns
from layers.errors import TooLarge

VERTICES, ROWS = 1_000, 100_000


def batches(body: bytes, media: str, columns: Columns = Columns()) -> list[Batch]:  # noqa: B008
    return list(open_table(media, io.BytesIO(body), columns, VERTICES, ROWS).batches())


def faults(found: list[Batch]) -> dict[int, str]:
    """Faults by the number of the row in the whole table."""
    start, every = 0, dict[int, str]()
    for batch in found:
        every |= {start + row: said for row, said in batch.places.faults.items()}
        start += batch.count
    return every


def test_broken_lines_of_csv_stand_where_they_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comma, "_BLOCK_BYTES", 300)
    wrong = {3, 4, 40, 41, 99}
    lines = [f"{i},1,2,3" if i in wrong else f"{i},{i / 10},5" for i in range(100)]
    found = batches(("id,lon,lat\n" + "\n".join(lines) + "\n").encode(), comma.MEDIA)
    assert len(found) > 3
    ids = [value for batch in found for value in batch.content.column("id").to_pylist()]
    assert ids == [None if i in wrong else str(i) for i in range(100)]
    assert set(faults(found)) == wrong


def test_text_that_is_no_utf8_is_a_fault_of_its_row() -> None:
    (found,) = batches("id,lon,lat\n好,1,2\n".encode() + b"\xff\xfe,1,2\n", comma.MEDIA)
    assert found.content.column("id").to_pylist()[0] == "好"
    assert faults([found]) == {1: "The row is not written in UTF-8."}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0x10", "1_0", "１", "1e999", "--1", "1;2"])
def test_what_is_no_plain_number_is_none(value: str) -> None:
    (found,) = batches(f"lon,lat\n{value},5\n +3.5 ,5\n".encode(), comma.MEDIA)
    assert set(faults([found])) == {0}
    assert found.places.x[1] == 3.5


def test_lines_of_json_that_are_too_deep_or_too_long() -> None:
    deep = b'{"lon": 1, "lat": 2, "a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    long = b'{"lon": 1, "lat": 2, "a": "' + b"x" * (5 << 20) + b'"}'
    good = b'{"lon": 1, "lat": 2}'
    (found,) = batches(b"\n".join([deep, good, long, good]), documents.NDJSON)
    assert found.count == 4
    assert set(faults([found])) == {0, 2}


def test_features_with_geometries_of_any_kind() -> None:
    shapes: list[Any] = [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
        {"type": "MultiPoint", "coordinates": [[0, 0]] * (VERTICES + 1)},
        {"type": "Point", "coordinates": []},
        None,
        "x",
    ]
    lines = [json.dumps({"type": "Feature", "geometry": shape, "properties": None}) for shape in shapes]
    (found,) = batches("\n".join(lines).encode(), documents.SEQUENCE)
    assert set(faults([found])) == {1, 2, 3, 4, 5}
    assert (found.places.x[0], found.places.y[0]) == (1, 2)


def parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def test_a_small_file_cannot_become_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_MOST_BLOCK_BYTES", 1 << 20)
    rows = 5_000
    table = pa.table({"lon": np.zeros(rows), "lat": np.zeros(rows), "text": ["x" * 10_000] * rows})
    body = parquet(table)
    assert len(body) < 200_000
    found = batches(body, arrow.PARQUET)
    assert "are allowed" in faults(found)[0]
    assert sum(batch.count for batch in found) == 1


def test_files_with_too_many_rows_and_nested_columns_are_refused() -> None:
    with pytest.raises(TableUnreadable, match="at most"):
        batches(parquet(pa.table({"x": np.zeros(ROWS + 1), "y": np.zeros(ROWS + 1)})), arrow.PARQUET)
    with pytest.raises(TableUnreadable, match="nested"):
        batches(parquet(pa.table({"x": [1.0], "y": [1.0], "z": [[1, 2]]})), arrow.PARQUET)


def test_a_stream_that_ends_early_says_so() -> None:
    sink = io.BytesIO()
    table = pa.table({"x": np.arange(50_000) / 1e3, "y": np.zeros(50_000)})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=10_000)
    whole = batches(sink.getvalue(), arrow.ARROW)
    assert sum(batch.count for batch in whole) == 50_000
    with pytest.raises(TableUnreadable):
        batches(sink.getvalue()[:-100_000], arrow.ARROW)


def test_offsets_that_point_elsewhere_are_refused() -> None:
    """The check that stands before any of a stream's numbers is believed; without it this would read foreign memory."""
    sink = io.BytesIO()
    text = pa.array(["aaaa", "bbbb"])
    with pa.ipc.new_stream(sink, pa.schema([("x", pa.string()), ("y", pa.string())])) as writer:
        writer.write_batch(pa.record_batch([text, text], names=["x", "y"]))
    body = sink.getvalue()
    assert body.count(np.array([0, 4, 8], "int32").tobytes()) == 2
    bent = body.replace(np.array([0, 4, 8], "int32").tobytes(), np.array([0, 4, 1 << 28], "int32").tobytes())
    found = batches(bent, arrow.ARROW)
    assert "cannot be read" in faults(found)[0]


async def parts(*given: bytes, pause: float = 0.0) -> AsyncIterator[bytes]:
    for part in given:
        yield part
        await asyncio.sleep(pause)


def spool(folder: Path, *given: bytes, encoding: str = "", most: int = 1_000, pause: float = 0.0) -> bytes:
    with asyncio.run(spooled(parts(*given, pause=pause), encoding, Bounds(most, 0.2), folder)) as file:
        return file.read()


def test_bodies_are_measured_as_they_come(tmp_path: Path) -> None:
    assert spool(tmp_path, b"ab", b"cd") == b"abcd"
    packed = gzip.compress(b"hello ") + gzip.compress(b"world")
    assert spool(tmp_path, packed[:7], packed[7:], encoding="gzip") == b"hello world"
    with pytest.raises(TooLarge):
        spool(tmp_path, b"x" * 600, b"x" * 600)
    bomb = gzip.compress(b"\0" * (64 << 20))
    assert len(bomb) < 100_000
    with pytest.raises(TooLarge):
        spool(tmp_path, bomb, encoding="gzip", most=1 << 20)
    with pytest.raises(UploadTooSlow):
        spool(tmp_path, b"a", b"b", pause=1.0)
    assert list(tmp_path.iterdir()) == []


def test_nobody_takes_all_places(tmp_path: Path) -> None:
    desk = QueryDesk(PolygonShelf(0), tmp_path, 3)
    with desk.place("ann"), desk.place("ann"):
        with pytest.raises(TooManyBatches), desk.place("ann"):
            pass
        with desk.place("bob"), pytest.raises(TooManyBatches), desk.place("eve"):
            pass
    with desk.place("ann"):
        pass
