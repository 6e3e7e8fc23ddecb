"""The digest of a row: the same wherever the row stands, and another one for every other content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.digest import content_digests
from ingest.wire import batch_schema
from layers.model import VectorLayer
from tests.support.loading import trial_layer

TYPES = {"name": "text", "other": "text", "size": "number", "count": "integer", "open": "boolean", "seen": "datetime"}
TEXT = st.none() | st.text(alphabet="a=-\x01\xe9", max_size=3)
ROW = st.fixed_dictionaries(
    {
        "name": TEXT,
        "other": TEXT,
        "size": st.none() | st.floats(allow_nan=False),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "open": st.none() | st.booleans(),
        "seen": st.none() | st.datetimes(min_value=dt.datetime(1900, 1, 1), timezones=st.just(dt.UTC)),
        "geom": st.none() | st.sampled_from([shapely.Point(x, 1).wkb for x in range(3)]),
    }
)
Row = dict[str, Any]


def layer() -> VectorLayer:
    attributes = {name: {"type": kind} for name, kind in TYPES.items()}
    found = trial_layer(attributes=attributes, key=["name"], time=None, row_clearance=None, sources={})
    assert isinstance(found, VectorLayer)
    return found


LAYER = layer()


def digests(rows: Sequence[Row]) -> list[bytes]:
    schema = batch_schema(LAYER)
    blank = dict.fromkeys(schema.names)
    found: list[bytes] = content_digests(LAYER, pa.Table.from_pylist([blank | r for r in rows], schema)).to_pylist()
    return found


def content(row: Row) -> tuple[object, ...]:
    """What makes a row: -0.0 and 0.0 are different bytes, and count as a change."""
    return tuple(repr(row[name]) for name in sorted(row))


@given(st.lists(ROW, min_size=1, max_size=8))
def test_a_row_has_one_digest_whatever_stands_beside_it(rows: list[Row]) -> None:
    assert digests(rows) == [digests([row])[0] for row in rows]


@given(ROW, ROW)
def test_equal_rows_and_only_they_have_equal_digests(one: Row, other: Row) -> None:
    first, second = digests([one, other])
    assert (first == second) == (content(one) == content(other))


@given(ROW, st.data())
def test_every_single_change_is_seen(row: Row, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(row)))
    changed = row | {name: data.draw(ROW)[name]}
    first, second = digests([row, changed])
    assert (first == second) == (content(row) == content(changed))


def test_empty_text_is_another_content_than_no_text_and_values_do_not_change_places() -> None:
    none: Row = dict.fromkeys((*TYPES, "geom"))
    rows = [none, none | {"name": ""}, none | {"other": ""}, none | {"name": "a"}, none | {"other": "a"}]
    rows += [none | {"size": 0.0}, none | {"count": 0}, none | {"open": False}, none | {"name": "", "other": ""}]
    assert len(set(digests(rows))) == len(rows)
