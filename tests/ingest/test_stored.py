"""The stored form of geometries: bytes that came with a source are kept only where they are the stored form."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.notes import Notes
from ingest.readers.source import Chunk
from ingest.rows import Rows
from ingest.stored import stored_wkb

BINARY = pa.binary()
SHAPES = [
    shapely.Point(105, 38),
    shapely.LineString([(105, 38), (106, 39)]),
    shapely.box(105, 38, 106, 39),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
    shapely.Point(1, 2, 3),
    None,
]


def written(shape: shapely.Geometry | None, **options: object) -> bytes | None:
    return None if shape is None else bytes(shapely.to_wkb(shape, flavor="iso", **options))


def chunk_of(raw: list[bytes | None], kind: pa.DataType = BINARY) -> Chunk:
    geometries = shapely.from_wkb(np.array(raw, dtype=object))
    return Chunk(np.arange(len(raw)), {}, geometries, wkb=pa.array(raw, kind))


def rows_of(chunk: Chunk) -> Rows:
    assert chunk.geometry is not None
    return Rows(chunk.position, chunk.geometry.copy(), (), Notes())


@given(st.lists(st.sampled_from(range(len(SHAPES))), min_size=1, max_size=12), st.data())
def test_the_stored_bytes_are_those_that_shapely_writes(picks: list[int], data: st.DataObject) -> None:
    """Whatever the source wrote (big or little end first, three dimensions) and whatever was changed on the way."""
    orders = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(picks), max_size=len(picks)))
    raw = [written(SHAPES[i], byte_order=order) for i, order in zip(picks, orders, strict=True)]
    kind = data.draw(st.sampled_from([pa.binary(), pa.large_binary()]))
    chunk = chunk_of(raw, kind)
    rows = rows_of(chunk)
    assert rows.geometry is not None
    for row in data.draw(st.sets(st.integers(0, len(picks) - 1))):
        rows.geometry[row] = shapely.Point(7, 7)
    expected = [written(g, output_dimension=2, byte_order=1) for g in rows.geometry]
    assert stored_wkb(rows, chunk).to_pylist() == expected


def test_a_filtered_chunk_keeps_bytes_and_rows_together() -> None:
    chunk = chunk_of([written(shape, byte_order=1) for shape in SHAPES[:4]])
    part = chunk.take(np.array([False, True, False, True]))
    assert stored_wkb(rows_of(part), part).to_pylist() == [
        written(SHAPES[1], byte_order=1),
        written(SHAPES[3], byte_order=1),
    ]


def test_unchanged_geometries_are_not_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = chunk_of([written(shape, byte_order=1) for shape in SHAPES[:4]])
    rows = rows_of(chunk)
    expected = chunk.wkb.to_pylist() if chunk.wkb is not None else []

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("written anew")

    monkeypatch.setattr(shapely, "to_wkb", refuse)
    assert stored_wkb(rows, chunk).to_pylist() == expected
    rows.geometry = np.array([shapely.Point(1, 1)] * 4, dtype=object)
    with pytest.raises(AssertionError, match="written anew"):
        stored_wkb(rows, chunk)


def test_rows_that_cannot_be_loaded_have_no_geometry() -> None:
    chunk = chunk_of([written(shape, byte_order=1) for shape in SHAPES[:2]])
    rows = rows_of(chunk)
    rows.refuse(0, "No.")
    assert stored_wkb(rows, chunk).to_pylist() == [None, written(SHAPES[1], byte_order=1)]
