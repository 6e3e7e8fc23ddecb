"""Texts in front of which a spreadsheet would calculate are led by an apostrophe in CSV, and come back without it."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from geoservice.formats.text import defused

HARMFUL = [
    "=1+1",
    '=HYPERLINK("http://127.0.0.1/?"&A1,"x")',
    "=cmd|'/c calc'!A0",
    "+1+cmd|'/c calc'!A0",
    "-2+3",
    "@SUM(1,2)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "＝1+1",
    "＋1+1",
    "－1+1",
    "＠SUM(1)",
    "'=1+1",
    "-",
    "-12.5.3",
    "+86 10 1234",
]
HARMLESS = ["", "road", "点 3", "a=b", "-12.5", "+3", "-1e5", "3-4", "'quoted'", "1,5", "-1,5"]


@pytest.mark.parametrize("text", HARMFUL)
def test_no_cell_begins_a_formula(text: str) -> None:
    (found,) = defused(pa.array([text])).to_pylist()
    assert found == f"'{text}"
    assert re.match(r"[=+\-@\t\r\n＝＋－＠]", found) is None


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_numbers_stay(text: str) -> None:
    assert defused(pa.array([text, None])).to_pylist() == [text, None]
