"""The gazetteer over the register of China's divisions (2023) and real postcodes: counts, chains, names, postcodes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from geoservice.gazetteer.index import behind, renew
from geoservice.settings import Settings
from layers.catalog import Catalog, read_catalog
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared
from tests.support.service import Service, running

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
ALL = read_catalog()
FILES = {"provinces": 31, "cities": 342, "areas": 2978, "streets": 41352}
FIRST = [
    ("北京", "北京市"),
    ("neimenggu", "内蒙古自治区"),
    ("xj", "新疆维吾尔自治区"),
    ("东华门", "东华门街道"),
    ("huamen", "花门街道"),
    ("淅川", "淅川县"),
    ("延边", "延边朝鲜族自治州"),
    ("chaoyang", "朝阳市"),
    ("zhongqing", "重庆市"),
    ("shamen", "厦门市"),
    ("lvliang", "吕梁市"),
    ("粤海街道", "粤海街道"),
]


@pytest.fixture(scope="module")
def china(cluster_settings: Settings, real_data: Path) -> Iterator[Service]:
    catalog = Catalog({name: ALL.layer(name) for name in ("division", "postcode")}, ALL.codelists)
    with copied_database(cluster_settings) as database:
        target = prepared(database, catalog)
        for name, number in FILES.items():
            report = load_file(catalog, target, "division", real_data / "admin" / f"china_{name}.csv")
            assert (report.inserted, report.quarantined) == (number, 0)
        assert load_file(catalog, target, "postcode", real_data / "addresses" / "zipcodes.csv").inserted == 42049
        for layer in behind(database, catalog):
            renew(database, layer)
        with running(database, catalog) as service:
            yield service


def ask(china: Service, path: str, **query: Any) -> Any:
    answer = china.client.get(f"/gazetteer{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(("query", "expected"), FIRST)
def test_names(china: Service, query: str, expected: str) -> None:
    assert ask(china, "/names", q=query)["results"][0]["name"] == expected


def test_chains_follow_the_register(china: Service, real_data: Path) -> None:
    with (real_data / "admin" / "china_streets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[::2000]
    for row in rows:
        chain = [d["code"] for d in ask(china, f"/divisions/{row['code']}/chain")["divisions"]]
        assert chain == [row["provinceCode"], row["cityCode"], row["areaCode"], row["code"]]


def test_all_townships_of_a_county_and_no_others(china: Service, real_data: Path) -> None:
    with (real_data / "admin" / "china_streets.csv").open(encoding="utf-8", newline="") as file:
        wanted = sorted(row["code"] for row in csv.DictReader(file) if row["areaCode"] == "110108")
    found = ask(china, "/divisions/110108/children", limit=1000)["divisions"]
    assert [d["code"] for d in found] == wanted


def test_within_a_province(china: Service) -> None:
    found = ask(china, "/names", q="朝阳", within="21", limit=50)["results"]
    assert found[0]["name"] == "朝阳市"
    assert all(one["adcode"].startswith("21") for one in found)


def test_postcodes(china: Service) -> None:
    assert ask(china, "/postcodes/00501")["postcodes"][0]["office"] == "Holtsville"


def test_addresses_reach_their_township(china: Service) -> None:
    (one,) = ask(china, "/geocode", q="广东省深圳市南山区粤海街道科技园路2号")["results"]
    assert (one["level"], one["adcode"]) == ("township", "440305007")
    (one,) = ask(china, "/geocode", q="北京市东城区东华门街道南河沿大街1号")["results"]
    assert one["adcode"] == "110101001"
    assert one["line"] == "北京市东城区东华门街道南河沿大街1号"
