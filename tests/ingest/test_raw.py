"""The text in which quarantine keeps a row says all that the row was."""

from __future__ import annotations

import json
import math

import shapely
from hypothesis import given
from hypothesis import strategies as st

from ingest.exporting import defused, restored
from ingest.raw import RawRow, read_raw, write_raw

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.binary(),
    st.decimals(allow_nan=False, allow_infinity=False),
)
COORDINATES = st.tuples(*[st.floats(-1e308, 1e308)] * 3)
NAMES = st.text(min_size=1).filter(lambda name: not name.startswith("$"))


@given(fields=st.dictionaries(NAMES, VALUES, max_size=5), point=st.none() | COORDINATES, placed=st.booleans())
def test_rows_come_back_as_they_were(
    fields: dict[str, object], point: tuple[float, float, float] | None, placed: bool
) -> None:
    geometry = None if point is None else shapely.Point(point)
    again = read_raw(write_raw(RawRow(fields, geometry, placed=placed)))
    assert again.fields == fields
    assert [type(value) for value in again.fields.values()] == [type(value) for value in fields.values()]
    assert again.placed == placed
    assert (geometry is None) == (again.geometry is None)
    if geometry is not None:
        assert shapely.to_wkb(again.geometry) == shapely.to_wkb(geometry)


def test_a_field_may_be_called_geometry() -> None:
    row = RawRow({"geometry": "square"}, shapely.Point(1, 2))
    again = read_raw(write_raw(row))
    assert (again.fields, again.geometry) == (row.fields, row.geometry)


def test_what_cannot_be_read_stays_as_it_stood() -> None:
    assert read_raw(write_raw(RawRow({"a": 1}, unread="POINT (1"))).unread == "POINT (1"
    assert read_raw("no JSON").unread == "no JSON"
    assert read_raw(json.dumps([1])).unread == "[1]"
    assert read_raw(write_raw(RawRow({}, original=("a", "b")))).original == ("a", "b")


@given(st.text() | st.text(alphabet="'=+-@\t\r\n＝＋－＠1.a"))
def test_texts_that_look_like_formulas_come_back(text: str) -> None:
    safe = defused(text)
    assert restored(safe) == text
    assert not safe.startswith(("=", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    if safe.startswith(("+", "-")):
        # Nothing but a number may begin so: -1.5 stays -1.5, and -1+cmd does not stay.
        assert math.isfinite(float(safe.replace(",", ".")))
