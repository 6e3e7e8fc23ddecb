"""Slips of the keyboard: every text one slip away, and no other, against an edit distance computed in another way."""

from __future__ import annotations

from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.gazetteer.slips import LONGEST, slips

FEW = st.text("abz", min_size=1, max_size=6)
LETTERS = st.text(ascii_lowercase, min_size=1, max_size=LONGEST)


def distance(one: str, other: str) -> int:
    """Edit distance with swaps of neighbours (optimal string alignment), by its textbook table."""
    rows = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            same = one[i - 1] == other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and (one[i - 1], one[i - 2]) == (other[j - 2], other[j - 1]):
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


@given(FEW, FEW)
def test_a_text_is_among_them_exactly_when_it_is_one_slip_away(typed: str, meant: str) -> None:
    assert (meant in slips(typed)) == (distance(typed, meant) == 1)


@given(LETTERS)
def test_all_are_one_slip_away_and_in_order(typed: str) -> None:
    found = slips(typed)
    assert found == sorted(set(found))
    assert all(distance(typed, one) == 1 for one in found[:: max(1, len(found) // 20)])


@pytest.mark.parametrize("typed", ["", "a" * (LONGEST + 1)])
def test_nothing_and_long_texts_have_none(typed: str) -> None:
    assert slips(typed) == []
