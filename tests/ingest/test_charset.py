"""Encodings told by statistics: how often they are right, on names of divisions cut to samples of known length."""

from __future__ import annotations

import csv
import os
import random
from pathlib import Path

import charset_normalizer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.readers.charset import CANDIDATES, canonical, contradicted, posterior

ENCODINGS = ("utf-8", "gb18030", "gbk", "cp950")
SAMPLES = 300
TRADITIONAL = (
    "臺北縣板橋",
    "香港灣仔區",
    "高雄市鹽埕區",
    "觀塘海濱道",
    "新竹縣竹東鎮",
    "屯門鄉事會路",
    "澎湖縣馬公市",
    "雲林縣斗六市",
)
DATA = os.environ.get("GEOSERVICE_DATA")


def best(values: list[bytes]) -> str:
    chances = posterior(values)
    return max(chances, key=lambda encoding: chances[encoding])


def samples(names: list[str], encoding: str, hanzi: int, chance: random.Random) -> list[list[bytes]]:
    """Lists of texts of so many Hanzi in all, some with digits and letters around them as house numbers have."""
    found = []
    for _ in range(SAMPLES):
        values: list[bytes] = []
        left = hanzi
        while left:
            name = chance.choice(names)[:left]
            try:
                name.encode(encoding)
            except UnicodeEncodeError:
                continue
            left -= len(name)
            values.append((chance.choice(["", "A", "No1"]) + name + chance.choice(["", "3", "B"])).encode(encoding))
        found.append(values)
    return found


@pytest.mark.realdata
@pytest.mark.skipif(DATA is None, reason="GEOSERVICE_DATA does not name the real open data")
@pytest.mark.parametrize(("hanzi", "share"), [(20, 0.98), (4, 0.98), (2, 0.9)])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_of_divisions(encoding: str, hanzi: int, share: float) -> None:
    """At 20 and at 4 Hanzi nearly always right; at 2 Hanzi the limit shows, and one character may be anything."""
    names: list[str] = []
    for part in ("areas", "streets", "cities", "provinces"):
        with (Path(DATA or "") / "admin" / f"china_{part}.csv").open(encoding="utf-8") as handle:
            names += [row["name"] for row in csv.DictReader(handle)]
    tried = samples(names, encoding, hanzi, random.Random(f"{encoding} {hanzi}"))  # noqa: S311 - no secret
    right = sum(best(values) == canonical(encoding) for values in tried)
    assert right >= share * SAMPLES
    if hanzi == 4:
        # The reference: a general detector with the same candidates, which needs more text.
        general = (charset_normalizer.from_bytes(b"\n".join(v), cp_isolation=list(CANDIDATES)).best() for v in tried)
        assert sum(m is not None and canonical(m.encoding) == canonical(encoding) for m in general) <= right


@pytest.mark.parametrize("name", TRADITIONAL)
@pytest.mark.parametrize("encoding", ["cp950", "utf-8", "gb18030"])
def test_traditional_names(name: str, encoding: str) -> None:
    assert best([name.encode(encoding)]) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zürich", "cp1252"),
        ("Zürich", "utf-8"),
        ("é0", "utf-8"),
        ("São Paulo", "cp1252"),
        ("Köln, Ærø", "cp1252"),
        ("Москва", "utf-8"),
        ("東京都", "utf-8"),
        ("东城区 Köln", "utf-8"),
    ],
)
def test_other_scripts(text: str, encoding: str) -> None:
    assert best([text.encode(encoding)]) == encoding


def test_ascii_says_nothing() -> None:
    assert posterior([b"plain", b""]) == {}


def test_one_spoiled_text_does_not_unseat_an_encoding() -> None:
    values = ["土地利用现状".encode(), "水工建筑用地".encode(), b"\xff\xfe\x81"]
    assert best(values) == "utf-8"
    assert best([v.decode().encode("gbk") for v in values[:2]] + [b"\xff\xff"]) == "gb18030"


def test_repetition_is_no_evidence() -> None:
    once, often = posterior(["区".encode("gbk")]), posterior(["区".encode("gbk")] * 500)
    assert once == often


def test_a_declaration_is_contradicted_by_absurd_texts_only() -> None:
    chances = posterior([f"{name}人民政府".encode() for name in ("北京市", "东城区", "上海市")])
    assert contradicted("gb18030", chances)
    assert contradicted("gbk", chances)
    assert not contradicted("utf-8", chances)
    assert not contradicted("cp1251", chances), "what was not considered is not judged"
    assert not contradicted("gb18030", posterior(["é0".encode()]))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_judged(value: bytes) -> None:
    chances = posterior([value])
    assert chances == {} or sum(chances.values()) == pytest.approx(1)
