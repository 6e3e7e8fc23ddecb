"""Terms of names: written out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoservice.gazetteer.rank import Wanted, likeness, marks, match, pieces
from geoservice.gazetteer.spelling import Form, fold, sound, stem, terms

STEMS = [
    ("朝阳区", "朝阳"),
    ("延边朝鲜族自治州", "延边"),
    ("广西壮族自治区", "广西"),
    ("内蒙古自治区", "内蒙古"),
    ("新疆维吾尔自治区", "新疆"),
    ("宁夏回族自治区", "宁夏"),
    ("西藏自治区", "西藏"),
    ("巴音郭楞蒙古自治州", "巴音郭楞"),
    ("双江拉祜族佤族布朗族傣族自治县", "双江"),
    ("香港特别行政区", "香港"),
    ("东华门街道", "东华门"),
    ("神农架林区", "神农架"),
    ("县", None),
    ("城区", None),
    ("浦东新区", "浦东新"),
    ("北京", None),
]


@pytest.mark.parametrize(("name", "expected"), STEMS)
def test_stems(name: str, expected: str | None) -> None:
    assert stem(name) == expected


def by_form(name: str, **how: bool) -> dict[Form, set[str]]:
    found: dict[Form, set[str]] = {}
    for term in terms(name, **how):
        found.setdefault(term.form, set()).add(term.text)
    return found


def test_terms_of_a_division() -> None:
    found = by_form("重庆市", division=True)
    assert found[Form.NAME] == {"重庆市"}
    assert found[Form.ALIAS] == {"重庆"}
    assert found[Form.PINYIN] >= {"chongqingshi", "chongqing", "zhongqing"}
    assert found[Form.INITIALS] >= {"cqs", "cq", "zq"}


def test_terms_of_other_names() -> None:
    assert by_form("Sample County Town") == {Form.NAME: {"samplecountytown"}, Form.WORD: {"countytown", "town"}}
    assert by_form("城区")[Form.NAME] == {"城区"}
    assert by_form("São Paulo")[Form.NAME] == {"saopaulo"}
    assert Form.NAME not in by_form("阿京", alias=True)
    assert by_form("样例县（虚构）")[Form.ALIAS] == {"样例县"}
    assert by_form("…") == {}


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert sound(fold(text)).isascii()


@pytest.mark.parametrize(
    ("query", "name", "expected"),
    [
        ("北京", "北京市", [(0, 2)]),
        ("beij", "北京市", [(0, 2)]),
        ("bei", "北京市", [(0, 1)]),
        ("bj", "北京市", [(0, 2)]),
        ("华门", "东华门街道", [(1, 3)]),
        ("york", "New York City", [(4, 8)]),
        ("sao p", "São Paulo", [(0, 5)]),
        ("g312", "Ｇ３１２国道", [(0, 4)]),
        ("bijing", "北京市", []),
    ],
)
def test_marks(query: str, name: str, expected: list[tuple[int, int]]) -> None:
    wanted = Wanted.of(query)
    kept = "".join(f"\n{term.form:d}{term.text}" for term in terms(name, division=True))
    found = match(wanted, kept, sound(fold(name)))
    assert found is not None
    assert marks(wanted, name, found.how) == expected


def test_likeness_is_that_of_pg_trgm() -> None:
    # SELECT similarity('word', 'words') in PostgreSQL: 4 of 7 pieces.
    assert likeness(pieces("abc"), pieces("abc")) == 1
    assert likeness(pieces("word"), pieces("words")) == pytest.approx(4 / 7)
    assert likeness(pieces("abc"), pieces("xyz")) == 0
