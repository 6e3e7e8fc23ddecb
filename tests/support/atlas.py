"""A made-up country for tests of the gazetteer: a province, two cities, four counties, sixteen square townships."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from geoservice.gazetteer.index import behind, renew
from geoservice.settings import Settings
from layers.catalog import Catalog, read_catalog
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, write_rows
from tests.support.service import Service, running

WEST, SOUTH, SIDE = 100.0, 30.0, 0.25
"""South-western corner and side of a township, in degrees: all are exact in binary, so borders are shared exactly."""
CHANGES = [
    ("1995-07-01", "recode", "992122", "旧源县", "990101", "清源县"),
    ("2001-07-01", "merge", "990101001", "东关街道", "990101001", "东关街道"),
    ("2001-07-01", "merge", "990101201", "河湾乡", "990101001", "东关街道"),
    ("2010-01-01", "split", "990101101", "柳林镇", "990101101", "柳林镇"),
    ("2010-01-01", "split", "990101101", "柳林镇", "990101102", "新柳镇"),
    ("2015-03-01", "abolish", "990101400", "清源农场", "", ""),
]
ALL = read_catalog()
LAYERS = ("division", "division_change", "address", "postcode", "populated_place", "road")
DOORS = [
    *(("990101001", "幸福路", n, n / 1000, 0.05 + 0.002 * (n % 2)) for n in (*range(1, 11), 15, 16, 20)),
    *(("990102001", "幸福路", n, 0.5 + n / 1000, 0.05) for n in (1, 2, 3)),
    *(("990101101", "长安街", n, 0.25 + n / 1000, 0.1) for n in (8, 10)),
]
"""Township, road, number, degrees east and north of the south-western corner."""


@dataclass(frozen=True)
class Atlas:
    """The running service and what is true of the country."""

    service: Service
    divisions: gpd.GeoDataFrame

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """The JSON of an address below /gazetteer, as the public sees it."""
        wanted = {key.replace("_", "-") if key == "as_of" else key: value for key, value in query.items()}
        response = self.service.client.get(f"/gazetteer{path}", params=wanted)
        assert response.status_code == status, response.text
        return response.json()


def country() -> list[dict[str, Any]]:
    """The divisions: townships are squares of a grid of four by four, what is above them their union."""
    names = iter(["东关街道", "柳林镇", "新柳镇", "桃源乡", "北山镇", "长乐镇", "石桥镇", "青龙乡"] * 2)
    rows: list[dict[str, Any]] = []
    townships = []
    for county, (column, row) in {"990101": (0, 0), "990102": (2, 0), "990201": (0, 2), "990202": (2, 2)}.items():
        for number, ending in enumerate(("001", "101", "102", "200")):
            x, y = WEST + SIDE * (column + number % 2), SOUTH + SIDE * (row + number // 2)
            townships.append((county + ending, next(names), shapely.box(x, y, x + SIDE, y + SIDE)))
    uppers = [("99", "province", "虚拟省"), ("9901", "city", "甲城市"), ("9902", "city", "乙城市")]
    uppers += [("990101", "county", "清源县"), ("990102", "county", "安平区")]
    uppers += [("990201", "county", "清源区"), ("990202", "county", "大埔县")]
    for code, level, name in uppers:
        parts = [shape for below, _, shape in townships if below.startswith(code)]
        rows.append(_row(code, level, name, shapely.union_all(parts)))
    return rows + [_row(code, "township", name, shape) for code, name, shape in townships]


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write rows as CSV."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerows([columns, *rows])
    return file


@contextmanager
def standing_atlas(settings: Settings, folder: Path) -> Iterator[Atlas]:
    """Load the country into a database of its own and start the service."""
    catalog = Catalog({name: ALL.layer(name) for name in LAYERS}, ALL.codelists)
    rows = country()
    with copied_database(settings) as database:
        target = prepared(database, catalog)
        load_file(catalog, target, "division", write_rows(folder / "sample_division.gpkg", rows))
        columns = ("change_id", "effective", "kind", "from_code", "from_name", "to_code", "to_name")
        changes = [(f"c{n}", *row) for n, row in enumerate(CHANGES)]
        load_file(catalog, target, "division_change", write_table(folder / "division_changes.csv", columns, changes))
        for name, some in (("address", addresses()), ("postcode", postcodes()), ("populated_place", villages())):
            load_file(catalog, target, name, write_rows(folder / f"sample_{name}.gpkg", some))
        load_file(catalog, target, "road", write_rows(folder / "sample_road.gpkg", roads()))
        for layer in behind(database, catalog):
            renew(database, layer)
        with running(database, catalog) as service:
            yield Atlas(service, gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4490"))


def addresses() -> list[dict[str, Any]]:
    """Doors along two roads, one named alike in another county, and a building in a compound."""
    rows = [
        _door(f"a{n}", code, f"{road}{number}号", (x, y), road=road, number=str(number))
        for n, (code, road, number, x, y) in enumerate(DOORS)
    ]
    rows.append(_door("b1", "990101001", "阳光花园3号楼", (0.2, 0.2), compound="阳光花园", building="3"))
    rows.append(_door("v1", "990101200", "沙坪村8号", (0.4, 0.4), number="8"))
    return rows


def postcodes() -> list[dict[str, Any]]:
    """A postcode of a township and one of a county."""
    told = [("990110", "东关邮政所", "990101001", 0.1, 0.1), ("990120", "安平邮政局", "990102", 0.6, 0.1)]
    return [
        {"postcode": code, "office": office, "adcode": adcode, "geometry": shapely.Point(WEST + x, SOUTH + y)}
        for code, office, adcode, x, y in told
    ]


def villages() -> list[dict[str, Any]]:
    """A village."""
    point = shapely.Point(WEST + 0.41, SOUTH + 0.41)
    return [{"place_id": "v", "name_zh": "沙坪村", "name_en": "Shaping", "rank": 10, "geometry": point}]


def roads() -> list[dict[str, Any]]:
    """A road without doors."""
    line = shapely.LineString([(WEST + 0.26, SOUTH + 0.3), (WEST + 0.3, SOUTH + 0.3)])
    return [{"road_id": "r", "name_zh": "环城路", "class": "primary", "geometry": line}]


def _door(key: str, code: str, line: str, at: tuple[float, float], **parts: str) -> dict[str, Any]:
    base: dict[str, Any] = {"address_id": key, "adcode": code, "line": line, "postcode": "990110", "method": "survey"}
    base |= {"road": None, "number": None, "compound": None, "building": None}
    return {**base, **parts, "geometry": shapely.Point(WEST + at[0], SOUTH + at[1])}


def _row(code: str, level: str, name: str, shape: shapely.Geometry) -> dict[str, Any]:
    parent = {2: None, 4: code[:2], 6: code[:4], 9: code[:6]}[len(code)]
    row = {"adcode": code, "level": level, "name_zh": name, "name_en": f"Unit {code}", "parent": parent}
    return {**row, "population": 1000, "geometry": shape}
