"""Division codes: the structure of GB/T 2260 and GB/T 10114, spelled out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.gazetteer import codes
from layers.errors import BadParameter

SPELLED = [
    ("11", "11", "province", [], "110000", "110000000000"),
    ("110000", "11", "province", [], "110000", "110000000000"),
    ("1301", "1301", "city", ["13"], "130100", "130100000000"),
    ("130100", "1301", "city", ["13"], "130100", "130100000000"),
    ("110101", "110101", "county", ["1101", "11"], "110101", "110101000000"),
    ("110101000000", "110101", "county", ["1101", "11"], "110101", "110101000000"),
    ("110101001", "110101001", "township", ["110101", "1101", "11"], None, "110101001000"),
    ("110101001000", "110101001", "township", ["110101", "1101", "11"], None, "110101001000"),
    ("110101001002", "110101001002", "village", ["110101001", "110101", "1101", "11"], None, "110101001002"),
    ("469001", "469001", "county", ["4690", "46"], "469001", "469001000000"),
    # Cities without counties: their towns hang below the city, with zeros for the county that is not there.
    ("441900003", "441900003", "township", ["4419", "44"], None, "441900003000"),
]


@pytest.mark.parametrize(("text", "short", "level", "above", "gb", "full"), SPELLED)
def test_spellings(text: str, short: str, level: str, above: list[str], gb: str | None, full: str) -> None:
    assert codes.canonical(text) == short
    assert codes.level_of(text) == level
    assert codes.enclosing(text) == above
    assert codes.gb2260(text) == gb
    assert codes.statistical(text) == full
    assert text in codes.spellings(short)


NO_CODES = ["", "1", "110", "11010", "11010a", "1101010011", "000000", "00", "１１", "-11", " 11"]


@pytest.mark.parametrize("text", NO_CODES)
def test_what_is_no_code_is_refused(text: str) -> None:
    with pytest.raises(BadParameter, match="2, 4, 6, 9 or 12 digits"):
        codes.canonical(text)


@given(st.from_regex(r"[1-9][0-9](\d{2}(\d{2}(\d{3}(\d{3})?)?)?)?", fullmatch=True).filter(str.isascii))
def test_every_spelling_has_the_same_canonical_form(text: str) -> None:
    short = codes.canonical(text)
    assert {codes.canonical(one) for one in codes.spellings(text)} == {short}
