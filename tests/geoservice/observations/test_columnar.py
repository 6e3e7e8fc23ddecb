"""Readings as Parquet and Arrow that mean harm: refused with a sentence, before they take memory."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geoservice.observations.columnar import ARROW, PARQUET
from geoservice.observations.forms import readings_of
from geoservice.queries.tables.pages import pages_of
from layers.errors import BadBody, TooLarge
from tests.support.observing import NOON
from tests.support.parquet import BYTE_ARRAY, INT64, Chunk, gzipped, page, parquet

ROWS = 30_000
MB = 1 << 20
Table = Callable[[], pa.Table]


def written(table: pa.Table, **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def streamed(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def honest(rows: int = ROWS, **more: Any) -> pa.Table:
    moments = pa.array([NOON] * rows, pa.timestamp("us", "UTC"))
    return pa.table({"datastream": ["g"] * rows, "time": moments, "result": np.arange(float(rows)), **more})


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"data_page_version": "2.0"},
        {"use_dictionary": False, "compression": "gzip"},
        {"compression": "zstd", "write_page_index": True, "row_group_size": 7_000},
        {"use_dictionary": False, "column_encoding": {"result": "BYTE_STREAM_SPLIT"}},
    ],
)
def test_pages_are_found_as_their_writer_counted_them(how: dict[str, Any]) -> None:
    body = written(honest(unit=["m", "cm", None] * (ROWS // 3)), **how)
    footer = pq.ParquetFile(io.BytesIO(body)).metadata
    groups = [footer.row_group(place) for place in range(footer.num_row_groups)]
    counted = sum(one.column(place).total_uncompressed_size for one in groups for place in range(4))
    pages = list(pages_of(io.BytesIO(body), footer))
    # The writer counts the headers too.
    assert 0 < counted - sum(page.size for page in pages) < 100 * len(pages)
    assert readings_of(body, PARQUET)["number"].to_pylist() == list(range(ROWS))


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_of_other_programs_are_texts(kind: pa.DataType) -> None:
    table = honest(10, unit=pa.array(["m"] * 10, pa.string()).cast(kind))
    for body, media in ((written(table), PARQUET), (streamed(table), ARROW)):
        assert readings_of(body, media)["unit"].to_pylist() == ["m"] * 10


def repeated(kind: pa.DataType, size: int) -> Table:
    """One long text that many rows have."""
    return lambda: honest(unit=pa.DictionaryArray.from_arrays(np.zeros(ROWS, "i4"), ["x" * size]).cast(kind))


def of_kind(values: Any) -> Table:
    return lambda: honest(10, unit=values)


DICTIONARY = pa.dictionary(pa.int32(), pa.string())
DEEP = pa.array([None] * 10, pa.list_(pa.list_(pa.struct([("a", pa.int8())]))))


@pytest.mark.parametrize(
    ("table", "error", "word"),
    [
        (repeated(DICTIONARY, MB), TooLarge, "in memory"),
        (of_kind(DEEP), BadBody, "'unit' is of the type list"),
        (of_kind([b"m"] * 10), BadBody, "type binary"),
        (of_kind(pa.array([b"m" * 99] * 10, pa.binary(99))), BadBody, "type fixed_size_binary"),
        (of_kind(pa.array([1] * 10, pa.duration("s"))), BadBody, "type duration"),
        (lambda: honest(10, **{f"c{place}": [1] * 10 for place in range(1_000)}), TooLarge, "columns"),
    ],
)
def test_tables_that_no_readings_have(table: Table, error: type[Exception], word: str) -> None:
    made = table()
    for body, media in ((written(made), PARQUET), (streamed(made), ARROW)):
        with pytest.raises(error, match=word):
            readings_of(body, media)


def test_arrays_that_repeat_without_end_are_refused() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2**30], pa.int32()), pa.array(["x" * MB]))
    with pytest.raises(BadBody, match="run_end_encoded"):
        readings_of(streamed(pa.table({"datastream": runs})), ARROW)
    nothing = pa.table({"datastream": pa.nulls(2**30)})
    with pytest.raises(TooLarge, match="at most"):
        readings_of(streamed(nothing), ARROW)


def test_texts_by_their_prefixes_are_refused() -> None:
    """A megabyte once, and then rows that say no more than "the same again"."""
    table = honest(10, unit=["x" * MB] * 10)
    body = written(table, use_dictionary=False, column_encoding={"unit": "DELTA_BYTE_ARRAY"})
    with pytest.raises(BadBody, match="DELTA_BYTE_ARRAY"):
        readings_of(body, PARQUET)


def bomb(size: int, kind: int = BYTE_ARRAY) -> bytes:
    """A page of zeros that says how large it is: one text (its length first), or as many numbers."""
    begin = (size - 4).to_bytes(4, "little") if kind == BYTE_ARRAY else b""
    values = 1 if kind == BYTE_ARRAY else size // 8
    return parquet([Chunk(b"datastream", kind, size, gzipped(size, begin), values)], values)


def test_bombs_in_pages_are_refused() -> None:
    small = readings_of(bomb(1_000), PARQUET)
    assert small.num_rows == 1, "the maker of bombs writes what can be read"
    packed = bomb(300 * MB)
    assert len(packed) < MB
    with pytest.raises(TooLarge, match="pages"):
        readings_of(packed, PARQUET)
    chunk = Chunk(b"datastream", INT64, 60 * MB, gzipped(60 * MB), 60 * MB // 8)
    with pytest.raises(TooLarge, match="at most"):
        readings_of(parquet([chunk], chunk.values), PARQUET)


def test_pages_that_lie_about_their_size_are_damaged() -> None:
    liar = Chunk(b"datastream", INT64, 80, gzipped(300 * MB), 10)
    with pytest.raises(BadBody, match="damaged"):
        readings_of(parquet([liar], 10), PARQUET)


def after(first: bytes) -> bytes:
    """A page of one number, and behind it one of two."""
    return parquet([Chunk(b"result", INT64, 16, gzipped(16), 3, before=first)], 3)


def test_a_page_that_describes_itself_twice_hides_nothing_behind_it() -> None:
    """By the one description all rows are in the first page; a reader takes the other one, and reads on."""
    number = gzipped(8, (7).to_bytes(8, "little"))
    honest_one, forked = after(page(1, 8, number)), after(page(1, 8, number, also=3))
    for body in (honest_one, forked):
        assert pq.read_table(io.BytesIO(body))["result"].to_pylist() == [7, 0, 0], "the reader of both goes on"
    found = list(pages_of(io.BytesIO(honest_one), pq.ParquetFile(io.BytesIO(honest_one)).metadata))
    assert [one.size for one in found] == [8, 16]
    with pytest.raises(BadBody, match="damaged"):
        readings_of(forked, PARQUET)


def test_pages_behind_the_last_row_are_looked_at() -> None:
    number = gzipped(8, (7).to_bytes(8, "little"))
    chunk = Chunk(b"result", INT64, 300 * MB, gzipped(300 * MB), 1, before=page(1, 8, number))
    with pytest.raises(TooLarge, match="pages"):
        readings_of(parquet([chunk], 1), PARQUET)


def test_the_memory_is_bounded_because_somebody_looks(tmp_path: Path) -> None:
    """In a process of its own, since what a process once took does not come back: with the look, and without it."""
    file = tmp_path / "bomb.parquet"
    file.write_bytes(bomb(150 * MB))
    program = """
        import sys
        from pathlib import Path
        from geoservice.observations import columnar
        from layers.errors import GeoError
        if sys.argv[2] == "blind":
            columnar._require_small = lambda *_: None
        def most():
            # Not what getrusage tells: that begins with what the parent had.
            return next(int(one.split()[1]) for one in open("/proc/self/status") if one.startswith("VmHWM"))
        before = most()
        try:
            for part in columnar._parquet(Path(sys.argv[1]).read_bytes()):
                pass
        except GeoError:
            pass
        print(most() - before)
    """
    grown = {}
    for how in ("seeing", "blind"):
        command = [sys.executable, "-c", textwrap.dedent(program), str(file), how]
        grown[how] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) * 1024
    assert grown["seeing"] < 40 * MB < 120 * MB < grown["blind"]


def test_many_rows_are_kept_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoservice.observations.wire.MOST_ROWS", 100)
    csv = b"datastream,time,result\n" + b"g,2026-03-01T00:00:00Z,1\n" * 101
    with pytest.raises(TooLarge, match="at most 100 readings"):
        readings_of(csv, "text/csv")
