"""Fields to attributes: names, values, units, times, selection, and every rule that a value can break."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.casting import as_text, cast
from layers.errors import SourceMismatch
from tests.ingest.reading import Result, read_here, table, vector


def run(tmp_path: Path, text: str, attributes: dict[str, Any], **mapping: Any) -> Result:
    file = tmp_path / "source_1.csv"
    file.write_text(text, encoding="utf-8")
    return read_here(file, table(attributes), **mapping)


def values(found: Result, name: str) -> list[Any]:
    return [r[name] for r in found.rows]


def test_own_name_passes_and_first_filled_wins(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        "name,NAME,alt,rest\nown,,x,1\n,Mapped,y,2\n,,z,3\nown,Mapped,,4\n",
        {"name": "text"},
        fields={"NAME": "name", "alt": "name"},
    )
    assert values(found, "name") == ["x", "Mapped", "z", "Mapped"]
    assert found.summary.unmapped_fields == ("rest",)


def test_field_listed_elsewhere_does_not_pass_under_its_own_name(tmp_path: Path) -> None:
    found = run(tmp_path, "a,b\n1,2\n", {"a": "integer", "b": "integer"}, fields={"a": "b"})
    assert found.rows[0]["a"] is None
    assert found.rows[0]["b"] == 1


def test_null_texts_values_and_other(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        "c,k\nA,-99\n B ,x\nC,NA\n  ,y\n",
        {"c": "text", "k": "text"},
        null=["-99", "NA"],
        values={"c": {"A": "alpha", "B": None, "*": "other"}, "k": {"x": "ex"}},
    )
    assert values(found, "c") == ["alpha", None, "other", None]
    assert values(found, "k") == [None, "ex", None, "y"]


def test_constants_factor_and_compose(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        "a,b,h\n7.0,x,1.5\n,y,2\n",
        {
            "ident": "text",
            "height": "number",
            "whole": "integer",
            "kind": "text",
            "ok": "boolean",
            "file": "text",
            "n": "integer",
        },
        compose={"ident": "{a:03}-{b}"},
        fields={"h": "height", "$file": "file", "$fid": "n"},
        factor={"height": 0.3048},
        constants={"kind": "fixed", "whole": 4, "ok": True},
    )
    assert values(found, "ident") == ["007-x", None]
    assert values(found, "height") == pytest.approx([0.4572, 0.6096])
    assert values(found, "kind") == ["fixed", "fixed"]
    assert values(found, "whole") == [4, 4]
    assert values(found, "ok") == [True, True]
    assert values(found, "file") == ["source_1", "source_1"]
    assert values(found, "n") == [0, 1]


def test_lookup_fills_only_what_is_empty(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        "c,label\nred,own\ngreen,\nblue,\n",
        {"c": "text", "label": "text"},
        lookup={"label": {"list": "colour@1", "by": "c", "take": "en"}},
    )
    assert values(found, "label") == ["own", "green", None]


def test_selection_counts(tmp_path: Path) -> None:
    text = "kind,a,b\nx,1,\ny,,2\nx,,\nz,1,1\nx,,7\n"
    found = run(tmp_path, text, {"kind": "text"}, select={"kind": ["x", "y"]}, any_of={"a": "*", "b": ["2"]})
    assert [r["_position"] for r in found.rows] == [0, 1]
    summary = found.summary
    assert (summary.read, summary.good, summary.bad, summary.not_selected) == (5, 2, 0, 3)


@pytest.mark.parametrize(
    "entry",
    [{"select": {"no": "*"}}, {"any_of": {"no": "*"}}, {"compose": {"kind": "{no}"}}, {"fields": {"no": "kind"}}],
)
def test_unknown_fields_are_a_mismatch(tmp_path: Path, entry: dict[str, Any]) -> None:
    with pytest.raises(SourceMismatch, match=r"no field 'no'.*it has kind, a"):
        run(tmp_path, "kind,a\n1,2\n", {"kind": "text"}, **entry)


def test_an_absent_alternative_is_noted(tmp_path: Path) -> None:
    found = run(tmp_path, "a\nx\n", {"name": "text"}, fields={"a": "name", "b": "name"})
    assert values(found, "name") == ["x"]
    assert "absent-field" in found.rules()


def test_every_broken_rule_has_its_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("k,n,c,p,i,b,d\n1,5,red,AB,3,yes,2026-01-02\n2,50,pink,ab,3.5,maybe,soon\n,x,,,,,\n")
    attributes = {
        "k": "text",
        "n": {"type": "number", "range": [0, 10]},
        "c": {"type": "code", "list": "colour@1"},
        "p": {"type": "text", "pattern": "^[A-Z]+$"},
        "i": "integer",
        "b": "boolean",
        "d": "date",
    }
    found = read_here(file, table(attributes, key=["k"]))
    (good,) = found.good
    assert (good["n"], good["c"], good["b"], good["d"]) == (5, "red", True, dt.date(2026, 1, 2))
    second, third = (r["_reason"] for r in found.bad)
    for part in (
        "Attribute 'n' is 50, outside the range 0 to 10.",
        "Attribute 'c' is 'pink', which is not in the code list colour@1.",
        "Attribute 'p' is 'ab', which does not match ^[A-Z]+$.",
        "Attribute 'i' is '3.5', where a whole number was expected.",
        "Attribute 'b' is 'maybe', where yes or no",
        "Attribute 'd' is 'soon', where a date was expected.",
    ):
        assert part in second
    assert "Attribute 'k' is empty, but it is a part of the key." in third
    assert "Attribute 'n' is 'x', where a number was expected." in third
    assert json.loads(found.bad[0]["_raw"])["c"] == "pink"
    assert good["_raw"] is None


def test_tolerated_values_are_left_empty(tmp_path: Path) -> None:
    attributes = {"n": {"type": "number", "range": [0, 10]}, "i": "integer"}
    found = run(tmp_path, "n,i\n5,1\n50,2\nx,y\n", attributes, tolerate=["n", "i"])
    assert found.summary.bad == 0
    assert values(found, "n") == [5, None, None]
    assert values(found, "i") == [1, 2, None]
    assert {f.message: (f.count, f.rows) for f in found.summary.findings if f.rule == "tolerated"} == {
        "Values of n that cannot be read or are implausible were left empty.": (2, (3, 2)),
        "Values of i that cannot be read or are implausible were left empty.": (1, (3,)),
    }


def test_times(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        "a,b,c,d\n1517967973840,1517967973.84,20260102 0304,2026-01-02T03:04:05+08:00\n,,,2026-01-02 03:04:05\n",
        {"a": "datetime", "b": "datetime", "c": "datetime", "d": "datetime"},
        times={"a": ["epoch-ms"], "b": ["epoch-s"], "c": ["%Y%m%d %H%M"]},
    )
    first, second = found.rows
    instant = dt.datetime(2018, 2, 7, 1, 46, 13, 840000, tzinfo=dt.UTC)
    assert first["a"] == first["b"] == instant
    assert first["c"] == dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert first["d"] == dt.datetime(2026, 1, 1, 19, 4, 5, tzinfo=dt.UTC)
    assert second["d"] == dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert "time-zone" in found.rules()


def test_special_fields_of_geometries(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('g\nPOINT Z (1 2 7)\n"LINESTRING (0 0, 1 1)"\n')
    layer = vector("any", {"h": "number", "t": "text"})
    found = read_here(file, layer, wkt="g", crs="EPSG:4490", fields={"$z": "h", "$geometry_type": "t"})
    assert [(r["h"], r["t"]) for r in found.rows] == [(7, "Point"), (None, "LineString")]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_whole_numbers_survive_as_text_and_back(numbers: list[int | None]) -> None:
    text = as_text(pa.array(numbers, pa.int64()))
    back, lost = cast(text, "integer")
    assert back.to_pylist() == numbers
    assert not len(lost)


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_numbers_survive_as_text_and_back(numbers: list[float | None]) -> None:
    back, lost = cast(as_text(pa.array(numbers, pa.float64())), "number")
    assert back.to_pylist() == numbers
    assert not len(lost)


@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1))
def test_times_survive_as_text_and_back(times: list[dt.datetime]) -> None:
    back, lost = cast(pa.array([t.isoformat() + "Z" for t in times]), "datetime")
    assert back.to_pylist() == [t.replace(tzinfo=dt.UTC) for t in times]
    assert not len(lost)


@given(st.lists(st.text(max_size=8), min_size=1))
def test_any_text_is_read_or_reported(texts: list[str]) -> None:
    column = pa.array(texts, pa.string())
    for kind in ("integer", "number", "boolean", "date", "datetime"):
        converted, lost = cast(column, kind)
        empty = np.flatnonzero(converted.is_null().to_numpy(zero_copy_only=False))
        assert set(lost) == set(empty)


def test_texts_of_odd_values() -> None:
    assert as_text(pa.array([1.0, 2.5, 1e300])).to_pylist() == ["1", "2.5", "1e+300"]
    assert as_text(pa.array([True, None])).to_pylist() == ["true", None]
    assert as_text(pa.array([["a", "b"]])).to_pylist() == ['["a", "b"]']
    assert as_text(pa.array([b"\x01\xff"])).to_pylist() == ["01ff"]
    assert as_text(pa.array([dt.date(2026, 1, 2)])).to_pylist() == ["2026-01-02"]
