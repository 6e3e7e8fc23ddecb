"""Well-known names, for tests of the search: divisions without an area, places, roads, schools, hospitals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from geoservice.gazetteer.index import behind, renew
from geoservice.settings import Settings
from layers.catalog import Catalog, read_catalog
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared
from tests.support.service import Service, running

ALL = read_catalog()
LAYERS = ("division", "populated_place", "road", "school", "hospital")
DIVISIONS = """
11 北京市 Beijing|1101 市辖区 -|110101 东城区 Dongcheng District|110105 朝阳区 Chaoyang District|110101001 东华门街道 -
110105001 朝外街道 -|15 内蒙古自治区 Inner Mongolia|1501 呼和浩特市 Hohhot|1411 吕梁市 Lüliang|2113 朝阳市 Chaoyang
211321 朝阳县 Chaoyang County|22 吉林省 Jilin|2202 吉林市 Jilin City|2224 延边朝鲜族自治州 Yanbian|31 上海市 Shanghai
310115 浦东新区 Pudong|32 江苏省 Jiangsu|3202 无锡市 Wuxi|3205 苏州市 Suzhou|3207 连云港市 Lianyungang|34 安徽省 Anhui
3403 蚌埠市 Bengbu|3413 宿州市 Suzhou (Anhui)|3415 六安市 Lu'an|35 福建省 Fujian|3502 厦门市 Xiamen
41 河南省 Henan|411326 淅川县 Xichuan County|411122 临颍县 -|44 广东省 Guangdong|4401 广州市 Guangzhou
4419 东莞市 Dongguan|440513 潮阳区 Chaoyang (Shantou)|441422 大埔县 Dabu|45 广西壮族自治区 Guangxi|50 重庆市 Chongqing
500112 渝北区 Yubei|51 四川省 Sichuan|5101 成都市 Chengdu|510184 崇州市 Chongzhou|513401 西昌市 Xichang
61 陕西省 Shaanxi|14 山西省 Shanxi|6101 西安市 Xi'an|65 新疆维吾尔自治区 Xinjiang|653125 莎车县 Yarkant
"""
PLACES = [
    ("London", None, 0, -0.12, 51.5), ("London", None, 8, -81.25, 42.98), ("Londrina", None, 7, -51.16, -23.3),
    ("East London", None, 6, 27.9, -33.0), ("New York City", "纽约", 0, -74.0, 40.7), ("York", None, 8, -1.08, 53.96),
    ("São Paulo", "圣保罗", 0, -46.6, -23.5), ("Zürich", "苏黎世", 5, 8.54, 47.37), ("Bern", "伯尔尼", 5, 7.45, 46.95),
    ("Beijing", "北京", 0, 116.4, 39.9), ("Shanghai", "上海", 0, 121.5, 31.2), ("Xi'an", "西安", 4, 108.9, 34.3),
    ("Lijiazhuang", "李家庄村", 10, 116.0, 37.0), ("Lijiazhuang", "李家庄村", 10, 105.0, 35.0),
    ("Shijiazhuang", "石家庄", 5, 114.5, 38.0), ("Zhangjiakou", "张家口", 6, 114.9, 40.8),
]  # fmt: skip
ROADS = [
    ("幸福路", "secondary", 116.4, 39.9),
    ("幸福路", "secondary", 116.41, 39.9),
    ("幸福大街", "residential", 116.5, 39.8),
]
ROADS += [("G312国道", "trunk", 110.0, 34.0), ("长安街", "primary", 116.4, 39.9)]
SCHOOLS = [("北京大学", "Peking University", 116.31, 39.99), ("朝阳小学", "Chaoyang Primary School", 120.45, 41.57)]
SCHOOLS += [("北京路小学", None, 113.27, 23.12)]
HOSPITALS = [("北京协和医院", "Peking Union Medical College Hospital", 116.41, 39.91)]


def division_rows() -> list[dict[str, Any]]:
    """Divisions without an area; the level follows from the length of the code."""
    levels = {2: "province", 4: "city", 6: "county", 9: "township"}
    found = []
    for told in DIVISIONS.replace("\n", "|").split("|"):
        if told:
            code, zh, en = told.split(" ", 2)
            row = {"adcode": code, "level": levels[len(code)], "name_zh": zh, "name_en": None if en == "-" else en}
            found.append({**row, "geometry": None})
    return found


def rows() -> dict[str, list[dict[str, Any]]]:
    """The rows of each layer."""
    places = [
        {"place_id": f"p{n}", "name_en": en, "name_zh": zh, "rank": rank, "geometry": shapely.Point(x, y)}
        for n, (en, zh, rank, x, y) in enumerate(PLACES)
    ]
    roads = [
        {"road_id": f"r{n}", "name_zh": name, "class": kind, "geometry": shapely.LineString([(x, y), (x + 0.01, y)])}
        for n, (name, kind, x, y) in enumerate(ROADS)
    ]
    schools = [
        {"school_id": f"s{n}", "name_zh": zh, "name_en": en, "geometry": shapely.Point(x, y)}
        for n, (zh, en, x, y) in enumerate(SCHOOLS)
    ]
    hospitals = [
        {"hospital_id": f"h{n}", "name_zh": zh, "name_en": en, "geometry": shapely.Point(x, y)}
        for n, (zh, en, x, y) in enumerate(HOSPITALS)
    ]
    return dict(zip(LAYERS, (division_rows(), places, roads, schools, hospitals), strict=True))


@contextmanager
def standing_names(settings: Settings, folder: Path) -> Iterator[Service]:
    """The service over these places, with their names indexed."""
    catalog = Catalog({name: ALL.layer(name) for name in LAYERS}, ALL.codelists)
    with copied_database(settings) as database:
        target = prepared(database, catalog)
        for name, some in rows().items():
            file = folder / f"sample_{name}.gpkg"
            frame = gpd.GeoDataFrame(pd.DataFrame(some), geometry="geometry", crs="EPSG:4490")
            frame.to_file(file, driver="GPKG", engine="pyogrio")
            report = load_file(catalog, target, name, file)
            assert report.inserted == len(some), report
        for layer in behind(database, catalog):
            renew(database, layer)
        with running(database, catalog) as service:
            yield service
