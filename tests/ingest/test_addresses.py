"""Addresses: one form for many spellings, and rows of a table placed by a reference layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest.addressing import Address, normalise
from ingest.load import LoadTarget
from ingest.notes import Notes
from ingest.places import write_book
from ingest.readers.address_book import AddressBook
from layers import sources
from layers.catalog import Catalog
from layers.errors import DefinitionError, SourceMismatch, SourceUnreadable
from layers.system import quarantine
from tests.ingest.reading import read_here, vector
from tests.support.loading import count, load_file, prepared, trial_catalog, trial_layer, write_rows

SAME = [
    ("人民路12号", "人民路十二号"),
    ("人民路12号", "人民路 １２ 号"),
    ("人民路12号", "人民路12#"),
    ("人民路12号", "人民路012號"),
    ("人民路105号", "人民路一百零五号"),
    ("人民路203室", "人民路二〇三室"),
    ("人民路1200号", "人民路一千二百号"),
    ("人民路20号", "人民路二十号"),
    ("人民路12-1号", "人民路１２—１号"),
    ("Nanjing Rd 5号", "NANJING RD，5号"),
    ("三里河路3号", "三里河路三号"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_place(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("河北省石家庄市桥西区中山路7号", Address(("河北省", "石家庄市"), "桥西区中山路7号")),
        ("石家庄市桥西区中山路7号", Address(("石家庄市",), "桥西区中山路7号")),
        ("桥西区中山路7号", Address((), "桥西区中山路7号")),
        ("内蒙古自治区阿拉善盟巴彦路1号", Address(("内蒙古自治区", "阿拉善盟"), "巴彦路1号")),
        ("超市路3号", Address((), "超市路3号")),
        ("三里河路3号", Address((), "三里河路3号")),
        ("北京市", Address((), "北京市")),
    ],
)
def test_region_and_place(text: str, expected: Address) -> None:
    assert normalise(text) == expected


def test_different_numbers_stay_different() -> None:
    texts = ["人民路1号", "人民路2号", "人民路12号", "人民路21号", "人民路1-2号", "人民路102号", "人民路1号2室"]
    assert len({normalise(t) for t in texts}) == len(texts)


@given(st.integers(1, 9999))
def test_numerals_are_read_as_they_are_spoken(number: int) -> None:
    assert normalise(f"人民路{spoken(number)}号") == normalise(f"人民路{number}号")


def spoken(number: int) -> str:
    """A number in Chinese, made digit by digit, by another road than the reader's."""
    digits, text, gap = str(number), "", False
    for place, digit in enumerate(digits):
        power = len(digits) - 1 - place
        if digit == "0":
            gap = bool(text)
            continue
        text += ("零" if gap else "") + "零一二三四五六七八九"[int(digit)] + ["", "十", "百", "千"][power]
        gap = False
    return text


@given(st.text(max_size=30))
def test_any_text_has_one_form(text: str) -> None:
    once = normalise(text)
    assert normalise("".join((*once.region, once.place))).place.endswith(normalise(once.place).place)
    assert normalise(f" {text} ") == once


PLACES = [
    ("河北省石家庄市中山路7号", 114.5, 38.0),
    ("中山路8号", 114.51, 38.01),
    ("石家庄市和平路1号", 114.6, 38.1),
    ("保定市和平路1号", 115.5, 38.9),
    ("中山路9号", 114.52, 38.02),
    ("中山路9号", 114.52, 38.02),
]


def book(tmp_path: Path) -> AddressBook:
    file = tmp_path / "geoservice-places.sqlite"
    write_book(file, PLACES)
    return AddressBook(file, sources.Address(field="地址", layer="base/address", by="address"), Notes())


def placed(tmp_path: Path, *lines: str) -> Any:
    book(tmp_path)
    (tmp_path / "a.csv").write_text("shop,地址\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    address = {"field": "地址", "layer": "base/address", "by": "address"}
    return read_here(tmp_path / "a.csv", vector("point", {"shop": "text"}), address=address)


def test_rows_take_the_point_of_their_address(tmp_path: Path) -> None:
    found = placed(tmp_path, "1,中山路七号", "2,河北省石家庄市中山路８号", "3,石家庄市和平路1号", "4,中山路9号")
    assert [(r["shop"], r["geom"].x, r["geom"].y) for r in found.good] == [
        ("1", 114.5, 38.0),
        ("2", 114.51, 38.01),
        ("3", 114.6, 38.1),
        ("4", 114.52, 38.02),
    ]
    assert next(f.count for f in found.summary.findings if f.rule == "address") == 4


def test_none_or_several_go_to_quarantine_with_what_there_is(tmp_path: Path) -> None:
    found = placed(tmp_path, "1,和平路1号", "2,中山路77号", "3,新街1号", "4,")
    reasons = {r["shop"]: r["_reason"] for r in found.bad}
    assert "'和平路1号' is 2 places in base/address: '保定市和平路1号' (115.500000, 38.900000)" in reasons["1"]
    assert "'中山路77号' is not in base/address; the street has '河北省石家庄市中山路7号'" in reasons["2"]
    assert reasons["3"].startswith("The address '新街1号' is not in base/address.")
    assert "geometry" in reasons["4"]


def test_rows_with_coordinates_keep_them(tmp_path: Path) -> None:
    book(tmp_path)
    (tmp_path / "a.csv").write_text("shop,地址,x,y\n1,中山路8号,110,30\n2,中山路8号,,\n", encoding="utf-8")
    address = {"field": "地址", "layer": "base/address", "by": "address"}
    layer, where = vector("point", {"shop": "text"}), {"x": "x", "y": "y"}
    found = read_here(tmp_path / "a.csv", layer, address=address, point=where, crs="EPSG:4490")
    assert [(r["geom"].x, r["geom"].y) for r in found.good] == [(110, 30), (114.51, 38.01)]


def test_a_reader_without_its_book_says_so(tmp_path: Path) -> None:
    address = {"field": "地址", "layer": "base/address", "by": "address"}
    (tmp_path / "a.csv").write_text("shop,地址\n1,x\n", encoding="utf-8")
    with pytest.raises(SourceUnreadable, match="not handed to the reader"):
        read_here(tmp_path / "a.csv", vector("point", {"shop": "text"}), address=address)


def test_the_field_must_exist(tmp_path: Path) -> None:
    book(tmp_path)
    (tmp_path / "a.csv").write_text("shop,place\n1,x\n", encoding="utf-8")
    address = {"field": "地址", "layer": "base/address", "by": "address"}
    with pytest.raises(SourceMismatch, match="no field '地址'"):
        read_here(tmp_path / "a.csv", vector("point", {"shop": "text"}), address=address)


def catalog(**address: str) -> Catalog:
    rule = {"field": "where", "layer": "trial/spots", "by": "name", **address}
    shops = {"csv": {"match": ["*.csv"], "fields": {"id": "code"}, "address": rule}}
    return trial_catalog(trial_layer("spots"), trial_layer("shops", sources=shops))


def test_a_load_places_rows_by_the_reference_layer(database: Database, tmp_path: Path) -> None:
    layers = catalog()
    target: LoadTarget = prepared(database, layers)
    spots = [
        {"code": "a", "name": "中山路7号", "level": "public", "geometry": shapely.Point(114.5, 38.0)},
        {"code": "b", "name": "中山路8号", "level": "restricted", "geometry": shapely.Point(114.6, 38.1)},
    ]
    load_file(layers, target, "spots", write_rows(tmp_path / "spots.gpkg", spots))
    (tmp_path / "shops.csv").write_text("id,where\n1,中山路七号\n2,中山路八号\n3,别路1号\n", encoding="utf-8")
    report = load_file(layers, target, "shops", tmp_path / "shops.csv")
    assert (report.read, report.inserted, report.quarantined) == (3, 1, 2)
    assert report.balanced
    assert count(database, "geo.shops", "ST_Equals(geom, ST_SetSRID(ST_MakePoint(114.5, 38.0), 4490))") == 1
    with database.transaction(Role.OWNER) as connection:
        reasons = connection.execute(sa.select(quarantine.c.reason).order_by(quarantine.c.position)).scalars().all()
    # What only some may see places nothing, and is not named either.
    assert "'中山路八号' is not in trial/spots" in reasons[0]
    assert "114.6" not in reasons[0]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ({"layer": "trial/nowhere"}, "there is no vector layer 'trial/nowhere'"),
        ({"by": "street"}, "has no attribute 'street'"),
        ({"by": "secret"}, "more confidential"),
    ],
)
def test_a_mapping_names_a_fitting_reference(address: dict[str, str], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        catalog(**address)


def test_only_points_can_be_placed() -> None:
    shops = {"csv": {"match": ["*.csv"], "address": {"field": "w", "layer": "trial/spots", "by": "name"}}}
    lines = trial_layer("shops", sources=shops, geometry="line", style={"line": {"colour": "#336699"}})
    with pytest.raises(DefinitionError, match="does not store"):
        trial_catalog(trial_layer("spots"), lines)
