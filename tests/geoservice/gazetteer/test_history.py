"""Codes of one date in terms of another: truth worked out by hand on a small register."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.gazetteer.history import Change, convert, ended, successors

A, B, C, D, E = "990101101", "990101102", "990101103", "990101104", "990101105"


def day(year: int) -> dt.date:
    return dt.date(year, 7, 1)


def pair(year: int, former: str | None, later: str | None, kind: str = "merge") -> Change:
    return Change(day(year), kind, former, later)


REGISTER = [
    # 2001: A gets a new code B. 2005: B and C become C. 2010: C is split into C and D.
    pair(2001, A, B, "recode"),
    pair(2005, B, C),
    pair(2005, C, C),
    pair(2010, C, C, "split"),
    pair(2010, C, D, "split"),
    # 2015: E ends. 2018: another unit gets the code that A had.
    pair(2015, E, None, "abolish"),
    pair(2018, None, A, "establish"),
]
TABLE = [
    (A, 2000, 2001, {B: "equal"}),
    (A, 2000, 2005, {C: "within"}),
    (A, 2000, 2010, {C: "overlap", D: "overlap"}),
    (C, 2005, 2010, {C: "part", D: "part"}),
    (C, 2004, 2005, {C: "within"}),
    (D, 2010, 2005, {C: "within"}),
    (C, 2005, 2004, {B: "part", C: "part"}),
    (C, 2006, 2000, {A: "part", C: "part"}),
    (D, 2020, 2000, {A: "overlap", C: "overlap"}),
    (B, 2001, 2000, {A: "equal"}),
    (E, 2014, 2015, {}),
    (E, 2010, 2014, {E: "equal"}),
    (A, 2018, 2024, {A: "equal"}),
    (A, 2018, 2017, {}),
    (A, 2000, 2000, {A: "equal"}),
]


@pytest.mark.parametrize(("code", "start", "end", "expected"), TABLE)
def test_conversion(code: str, start: int, end: int, expected: dict[str, str]) -> None:
    first, last = dt.date(start, 12, 31), dt.date(end, 12, 31)
    assert {one.code: one.relation for one in convert(REGISTER, code, first, last)} == expected
    assert {one.code: one.relation for one in convert(REGISTER[::-1], code, first, last)} == expected


def test_a_change_counts_from_its_day_on() -> None:
    eve = day(2001) - dt.timedelta(days=1)
    assert [one.code for one in convert(REGISTER, A, eve, day(2001))] == [B]
    assert [one.code for one in convert(REGISTER, A, eve, eve)] == [A]
    assert [one.code for one in convert(REGISTER, B, day(2001), day(2002))] == [B]


def test_what_split_and_joined_again_is_not_told_to_be_whole() -> None:
    register = [pair(2001, A, B), pair(2001, A, C), pair(2002, B, D), pair(2002, C, D)]
    (one,) = convert(register, A, day(2000), day(2003))
    assert (one.code, one.whole) == (D, False)


def test_where_former_codes_went() -> None:
    today = dt.date(2026, 1, 1)
    assert ended(REGISTER, A, dt.date(2010, 1, 1)) == day(2001)
    assert ended(REGISTER, A, today) is None, "the code is in use again"
    assert ended(REGISTER, C, today) is None
    assert ended(REGISTER, E, today) == day(2015)
    assert [one.code for one in successors(REGISTER, B, today)] == [C, D]
    assert successors(REGISTER, E, today) == ()
    assert successors(REGISTER, C, today) == ()
    assert ended(REGISTER, B, dt.date(2004, 1, 1)) is None, "what is still to come has not happened"


CODES = st.sampled_from([A, B, C, D, E])
RECODINGS = st.permutations([A, B, C, D, E]).map(lambda to: list(zip([A, B, C, D, E], to, strict=True)))


@given(st.lists(RECODINGS, max_size=5), CODES)
def test_recodings_there_and_back(years: list[list[tuple[str, str]]], code: str) -> None:
    register = [pair(2000 + n, a, b, "recode") for n, year in enumerate(years) for a, b in year]
    start, end = dt.date(1999, 1, 1), dt.date(2020, 1, 1)
    (there,) = convert(register, code, start, end)
    (back,) = convert(register, there.code, end, start)
    assert there.relation == back.relation == "equal"
    assert back.code == code
