"""Addresses to places and back, over the made-up country: what each leads to is worked out from its rows by hand."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyproj
import pytest

from tests.support.atlas import SOUTH, WEST, Atlas

# Address, level, key of the feature (None for a place between), confidence.
TABLE = [
    ("虚拟省甲城市清源县东关街道幸福路3号", "door", "a2", 1.0),
    ("清源县东关街道幸福路三号", "door", "a2", 1.0),
    ("清源县幸福路３号2单元501室", "door", "a2", 1.0),
    ("清源 东关街道 幸福路3号", "door", "a2", 1.0),
    ("安平区幸福路3号", "door", "a15", 1.0),
    # Two counties have that road and that number.
    ("幸福路3号", "door", None, 0.5),
    ("甲城市幸福路10号", "door", "a9", 1.0),
    # A division that is not there costs some confidence.
    ("清源县西关街道幸福路3号", "door", "a2", 0.85),
    # Names that held once: the county itself, a township that was merged into another.
    ("旧源县东关街道幸福路3号", "door", "a2", 1.0),
    ("清源县河湾乡幸福路3号", "door", "a2", 1.0),
    ("清源县幸福路11号", "interpolated", None, 0.8),
    ("清源县幸福路12号", "interpolated", None, 0.8),
    ("清源县幸福路99号", "neighbour", "a10", 0.65),
    ("清源县阳光花园3栋2单元501室", "door", "b1", 1.0),
    ("清源县桃源乡沙坪村8号", "door", "v1", 1.0),
    ("清源县桃源乡沙坪村", "village", "v", 0.45),
    ("清源县桃源乡沙坪村77号", "neighbour", "v1", 0.65),
    ("清源县环城路", "road", "r", 0.5),
    ("清源县环城路5号", "road", "r", 0.5),
    ("清源县东关街道", "township", "990101001", 0.35),
    ("清源县不存在路5号", "county", "990101", 0.2),
    ("清源县", "county", "990101", 0.2),
    ("乙城市清源区", "county", "990201", 0.2),
    ("甲城市", "city", "9901", 0.1),
]


@pytest.mark.parametrize(("line", "level", "key", "confidence"), TABLE)
def test_geocoding(atlas: Atlas, line: str, level: str, key: str | None, confidence: float) -> None:
    results = atlas.get("/geocode", q=line)["results"]
    assert results, "something is found"
    assert {one["level"] for one in results} == {level}
    assert results[0]["confidence"] == pytest.approx(confidence)
    if key is not None:
        assert [one["feature"]["id"] for one in results] == [key]


def test_equal_places_are_all_told(atlas: Atlas) -> None:
    results = atlas.get("/geocode", q="幸福路3号")["results"]
    assert {one["feature"]["id"] for one in results} == {"a2", "a15"}
    within = atlas.get("/geocode", q="幸福路3号", within="990102")["results"]
    assert [(one["feature"]["id"], one["confidence"]) for one in within] == [("a15", 1.0)]


def test_between_two_doors(atlas: Atlas) -> None:
    # 11 lies between 9 and 15 on the odd side, at a third of the way; 12 between 10 and 16 on the even side.
    odd, even = (atlas.get("/geocode", q=f"清源县幸福路{n}号")["results"][0]["point"] for n in (11, 12))
    assert odd == pytest.approx([WEST + 0.009 + 0.006 / 3, SOUTH + 0.052])
    assert even == pytest.approx([WEST + 0.010 + 0.006 / 3, SOUTH + 0.05])


def test_the_line_names_the_divisions_of_today(atlas: Atlas) -> None:
    (one,) = atlas.get("/geocode", q="旧源县幸福路3号4单元")["results"]
    assert one["line"] == "虚拟省甲城市清源县东关街道幸福路3号4单元"
    assert [d["code"] for d in one["divisions"]] == ["99", "9901", "990101", "990101001"]
    assert one["adcode"] == "990101001"


def test_nothing(atlas: Atlas) -> None:
    assert atlas.get("/geocode", q="无处可寻")["results"] == []
    assert atlas.get("/geocode", 400, q=" ")["detail"]
    assert atlas.get("/geocode", 400, q="x" * 201)["detail"]
    assert atlas.get("/geocode", 400, q="幸福路", within="x")["detail"]


def test_reverse(atlas: Atlas) -> None:
    lon, lat = WEST + 0.0031, SOUTH + 0.0521
    told = atlas.get("/reverse", lon=lon, lat=lat)
    assert told["line"] == "虚拟省甲城市清源县东关街道幸福路3号"
    assert told["parts"] == {"road": "幸福路", "number": "3"}
    distance = pyproj.Geod(ellps="GRS80").inv(lon, lat, WEST + 0.003, SOUTH + 0.052)[2]
    assert told["door"]["distance"] == pytest.approx(distance, abs=0.01)
    assert told["confidence"] == pytest.approx(1 / (1 + distance / 50), abs=1e-4)
    assert told["postcode"] == "990110"


def test_reverse_far_from_any_door(atlas: Atlas) -> None:
    told = atlas.get("/reverse", lon=WEST + 0.9, lat=SOUTH + 0.9)
    assert (told["line"], told["door"], told["confidence"]) == ("虚拟省乙城市大埔县青龙乡", None, 0.0)
    abroad = atlas.get("/reverse", lon=10, lat=10)
    assert (abroad["line"], abroad["divisions"]) == ("", [])
    assert atlas.get("/reverse", 400, lon="a", lat="1")["detail"]


def test_there_and_back(atlas: Atlas) -> None:
    for line in ("虚拟省甲城市清源县东关街道幸福路7号", "虚拟省甲城市清源县柳林镇长安街8号"):
        (one,) = atlas.get("/geocode", q=line)["results"]
        lon, lat = one["point"]
        assert atlas.get("/reverse", lon=lon, lat=lat)["line"] == one["line"] == line


def test_postcodes(atlas: Atlas) -> None:
    (one,) = atlas.get("/postcodes/990110")["postcodes"]
    assert (one["office"], one["adcode"]) == ("东关邮政所", "990101001")
    assert [p["postcode"] for p in atlas.get("/postcodes", adcode="990101")["postcodes"]] == ["990110"]
    assert [p["postcode"] for p in atlas.get("/postcodes", adcode="99")["postcodes"]] == ["990110", "990120"]
    assert [p["postcode"] for p in atlas.get("/postcodes", near=f"{WEST + 0.7},{SOUTH + 0.2}")["postcodes"]] == [
        "990120"
    ]
    assert atlas.get("/postcodes/000000", 404)["detail"]
    assert atlas.get("/postcodes/1", 400)["detail"]
    assert atlas.get("/postcodes", 400)["detail"]


# ---------------------------------------------------------------- many at once


def post(atlas: Atlas, body: bytes, media: str, status: int = 200) -> Any:
    answer = atlas.service.client.post("/gazetteer/geocode", content=body, headers={"Content-Type": media})
    assert answer.status_code == status, answer.text
    return answer


def test_many_as_csv(atlas: Atlas) -> None:
    lines = ["清源县幸福路3号", "", "无处可寻", '"清源县, 幸福路 5 号"', "=1+1"]
    answer = post(atlas, ("id,address\n" + "\n".join(f"{n},{one}" for n, one in enumerate(lines))).encode(), "text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["row"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["level"] for row in rows] == ["door", "", "", "door", ""]
    assert float(rows[0]["lon"]) == pytest.approx(WEST + 0.003)
    assert [bool(row["error"]) for row in rows] == [False, True, True, False, True]
    assert rows[4]["address"] == "'=1+1", "no spreadsheet takes it for a formula"


def test_many_as_lines_of_json(atlas: Atlas) -> None:
    wanted = [{"address": f"清源县幸福路{n}号"} for n in range(1, 120)]
    body = "\n".join([*(json.dumps(one) for one in wanted), "nonsense", "[1]", '{"address": 5}']).encode()
    rows = [json.loads(line) for line in post(atlas, body, "application/x-ndjson").text.splitlines()]
    assert [row["row"] for row in rows] == list(range(1, 123))
    assert [row["address"] for row in rows[:119]] == [one["address"] for one in wanted]
    assert rows[2]["parts"] == {"county": "清源县", "road": "幸福路", "number": "3"}
    assert all("error" in row for row in rows[119:])


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"x", "text/plain", 415),
        (b"name\nx\n", "text/csv", 400),
        (b"\xff\xfe", "text/csv", 400),
        (b"address\n" + b"x\n" * 5001, "text/csv", 413),
    ],
)
def test_bad_bodies(atlas: Atlas, body: bytes, media: str, status: int) -> None:
    assert post(atlas, body, media, status).json()["detail"]
