"""Hospitals, schools, hazardous sites, stations, the power plant, protected land, rocks and faults."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ingest.sample.chance import FloatArray, Noise, stream
from ingest.sample.grid import METRES_Y, degrees, metres
from ingest.sample.lines import polygon_parts, smooth, smooth_polygon
from ingest.sample.names import Name
from ingest.sample.outline import Outline, divide
from ingest.sample.reservoir import Reservoir
from ingest.sample.roads import StreetPlan
from ingest.sample.settlements import ADCODE, TOWNSHIPS, Place, Settlements
from ingest.sample.terrain import GRID

PUPILS_SHARE = 0.11
VILLAGE_WITH_SCHOOL = 900
VILLAGE_WITH_CLINIC = 1200
POOL_REDLINE = 900.0
HIGHLAND = 2080.0
LEAST_HIGHLAND = 1.5e-3


@dataclass(frozen=True)
class Feature:
    """A feature of a small layer: geometry and attributes by name."""

    geometry: BaseGeometry
    values: dict[str, object]


def _named(name: Name) -> dict[str, object]:
    return {"name_zh": name.zh, "name_en": name.en}


def _base(place: Place) -> Name:
    return Name(place.name.zh.removesuffix("村"), place.name.en.removesuffix(" Village"))


def build_hospitals(settlements: Settlements, plans: list[StreetPlan], seed: int) -> list[Feature]:
    """Two county hospitals, one for each other township, clinics in larger villages; all as points."""
    luck = stream(seed, "hospitals").random(len(plans))
    rows: list[tuple[Place, StreetPlan, Name, str, int]] = []
    for number, (place, plan) in enumerate(zip(settlements.places, plans, strict=True)):
        base = _base(place)
        if number == 0:
            rows.append((place, plan, Name("样例县人民医院", "Sample County People's Hospital"), "二级甲等", 420))
            rows.append(
                (place, plan, Name("样例县中医医院", "Sample County Hospital of Traditional Medicine"), "二级乙等", 180)
            )
        elif number < TOWNSHIPS:
            name = base.with_ending("中心卫生院", "Township Health Centre")
            rows.append((place, plan, name, "一级", 30 + int(60 * luck[number])))
        elif place.people > VILLAGE_WITH_CLINIC:
            rows.append(
                (place, plan, base.with_ending("村卫生室", "Village Clinic"), "未定级", 2 + int(4 * luck[number]))
            )
    return [
        Feature(
            plan.at(24.0 + 90.0 * (n % 2), 22.0 if n < TOWNSHIPS + 1 else -20.0),
            {
                "hospital_id": f"H{ADCODE}{n + 1:04d}",
                **_named(name),
                "beds": beds,
                "level": level,
                "phone": f"000-0000{n + 1:04d}",
            },
        )
        for n, (_, plan, name, level, beds) in enumerate(rows)
    ]


def build_schools(settlements: Settlements, plans: list[StreetPlan], seed: int) -> list[Feature]:
    """Schools: primary ones in larger villages as points, secondary ones in the seats as grounds."""
    luck = stream(seed, "schools").random(len(plans))
    found: list[Feature] = []
    for number, (place, plan) in enumerate(zip(settlements.places, plans, strict=True)):
        base, people = _base(place), settlements.people(place.township)
        if number < TOWNSHIPS:
            grounds = shapely.Polygon(plan.place(_rectangle(80.0, -60.0, 70.0, 45.0)))
            name = (
                Name("样例县第一中学", "Sample County No. 1 Middle School")
                if number == 0
                else base.with_ending("中学", "Middle School")
            )
            found.append(_school(len(found), grounds, name, "middle", int(people * 0.045)))
        if number < TOWNSHIPS or place.people > VILLAGE_WITH_SCHOOL:
            name = (
                Name("样例县实验小学", "Sample County Primary School")
                if number == 0
                else base.with_ending("小学", "Primary School")
            )
            pupils = int(place.people * PUPILS_SHARE * (0.7 + 0.3 * luck[number]))
            found.append(_school(len(found), plan.at(-35.0, 30.0), name, "primary", pupils))
    return found


def _school(number: int, geometry: BaseGeometry, name: Name, kind: str, pupils: int) -> Feature:
    return Feature(
        geometry, {"school_id": f"S{ADCODE}{number + 1:04d}", **_named(name), "kind": kind, "pupils": pupils}
    )


def _rectangle(x: float, y: float, half_x: float, half_y: float) -> FloatArray:
    return np.array(
        [[x - half_x, y - half_y], [x + half_x, y - half_y], [x + half_x, y + half_y], [x - half_x, y + half_y]]
    )


def build_hazard_sources(settlements: Settlements, plans: list[StreetPlan]) -> list[Feature]:
    """Stores of dangerous goods at the edge of the seats."""
    kinds = (
        ("加油站油库", "Fuel depot", "fuel", 3, 180.0, 300.0),
        ("液化气站", "LPG station", "lpg", 4, 45.0, 400.0),
        ("化肥仓库", "Fertiliser store", "ammonium nitrate", 2, 620.0, 1200.0),
        ("氨制冷厂", "Ammonia cold store", "ammonia", 3, 12.5, 900.0),
        ("烟花仓库", "Fireworks store", "fireworks", 4, 8.0, 250.0),
        ("危险化学品库", "Chemical warehouse", "chemicals", 1, 1450.0, 2000.0),
    )
    found = []
    for number in range(TOWNSHIPS + 2):
        home = number % TOWNSHIPS
        zh, en, kind, grade, quantity, reach = kinds[(number * 5) % len(kinds)]
        plan, base = plans[home], _base(settlements.places[home])
        angle = 0.8 + 2.1 * number
        spot = plan.at(plan.radius * 1.15 * np.cos(angle), plan.radius * 1.15 * np.sin(angle))
        values = {"source_id": f"D{ADCODE}{number + 1:04d}", **_named(Name(base.zh + zh, f"{base.en} {en}"))}
        values |= {"kind": kind, "grade": str(grade), "quantity": quantity, "reach": reach}
        found.append(Feature(spot, values))
    return found


def build_stations(settlements: Settlements, plans: list[StreetPlan]) -> list[Feature]:
    """Five air-quality stations: two in the county town, three in other seats."""
    spots = ((0, 150.0, 140.0), (0, -420.0, -180.0), (3, 60.0, 60.0), (5, 60.0, 60.0), (7, 60.0, 60.0))
    labels = ("县政府站", "工业园站", "东站", "南站", "背景站")
    english = ("County Hall", "Industrial Park", "East", "South", "Background")
    found = []
    for number, (home, x, y) in enumerate(spots):
        name = Name(f"样例县{labels[number]}", f"Sample County {english[number]} Station")
        values = {"station_id": station_id(number), **_named(name), "operator": "样例县环境监测站（虚构）"}
        found.append(Feature(plans[home].at(x, y), values))
    return found


def station_id(number: int) -> str:
    """Identifier of an air-quality station."""
    return f"{ADCODE}A{number + 1:02d}"


STATIONS = 5


def build_dam(reservoir: Reservoir, name: Name) -> tuple[Feature, Feature]:
    """The dam and the power plant at its foot."""
    power = round(float(reservoir.capacity) * 0.09 + 4.0, 1)
    zh, en = name.zh.removesuffix("河"), name.en.removesuffix(" River")
    dam = {
        "dam_id": f"W{ADCODE}0001",
        **_named(Name(f"{zh}大坝", f"{en} Dam")),
        "height": round(reservoir.height, 1),
        "capacity": round(reservoir.capacity, 3),
        "power": power,
        "country": "样例（虚构）",
    }
    plant = {
        "plant_id": f"E{ADCODE}0001",
        **_named(Name(f"{zh}水电站", f"{en} Hydropower Station")),
        "fuel": "hydro",
        "capacity": power,
        "country": "样例（虚构）",
        "commissioned": 1998,
    }
    ends = shapely.get_coordinates(reservoir.wall)
    along = metres(ends[2:] - ends[:1])[0]
    down = np.array([along[1], -along[0]]) / np.hypot(*along)
    foot = np.array(reservoir.dam) + degrees(down * _downstream_sign(reservoir, down) * 180.0)
    return Feature(shapely.Point(reservoir.dam), dam), Feature(shapely.Point(np.round(foot, 9)), plant)


def _downstream_sign(reservoir: Reservoir, across: FloatArray) -> float:
    pool = shapely.get_coordinates(shapely.point_on_surface(reservoir.polygon))[0]
    return -1.0 if float(metres(pool - np.array(reservoir.dam)) @ across) > 0 else 1.0


def build_airport(settlements: Settlements, plans: list[StreetPlan]) -> Feature:
    """A small airfield outside the county town."""
    values: dict[str, object] = {
        "airport_id": f"P{ADCODE}01",
        **_named(Name("样例通用机场", "Sample General Aviation Airport")),
        "iata": None,
        "icao": None,
        "kind": "general aviation",
    }
    return Feature(plans[0].at(plans[0].radius * 1.9, plans[0].radius * 0.6), values)


def build_protected(reservoir: Reservoir, height: FloatArray, county: shapely.Polygon) -> list[Feature]:
    """A mountain reserve (high land) and a wetland park around the reservoir."""
    high = GRID.polygons(GRID.mask([shapely.buffer(county, -0.01)]) & (height > HIGHLAND))
    rough = shapely.union_all([smooth_polygon(p, GRID.cell * 1.5) for p in high if p.area > LEAST_HIGHLAND])
    mountains = shapely.intersection(shapely.buffer(shapely.buffer(rough, 0.006), -0.006), county)
    wetland = shapely.intersection(shapely.buffer(reservoir.polygon, 350.0 / METRES_Y), county)
    rows = (
        (mountains, Name("样例山自然保护区", "Sample Mountain Nature Reserve"), "nature reserve"),
        (wetland, Name("样例湖湿地公园", "Sample Lake Wetland Park"), "wetland park"),
    )
    return [
        Feature(_tidy(g), {"area_id": f"R{ADCODE}{n + 1:02d}", **_named(name), "kind": kind})
        for n, (g, name, kind) in enumerate(rows)
        if not shapely.is_empty(g)
    ]


def _tidy(geometry: BaseGeometry) -> BaseGeometry:
    parts = polygon_parts(shapely.set_precision(geometry, 1e-8))
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


UNITS = (
    ("Qh", "全新统冲积层", "Holocene alluvium", "Quaternary", "gravel, sand, silt"),
    ("Qp", "更新统黄土", "Pleistocene loess", "Quaternary", "loess"),
    ("N", "新近系红层", "Neogene red beds", "Neogene", "mudstone, sandstone"),
    ("K", "白垩系砂岩", "Cretaceous sandstone", "Cretaceous", "sandstone"),
    ("J", "侏罗系煤系", "Jurassic coal measures", "Jurassic", "sandstone, shale, coal"),
    ("C", "石炭系灰岩", "Carboniferous limestone", "Carboniferous", "limestone"),
    ("γ", "花岗岩体", "Granite body", "Permian", "granite"),
)
UNIT_SEEDS = 17


def build_geology(outline: Outline, seed: int) -> list[Feature]:
    """Geological units that cover the county without gap or overlap."""
    chance = stream(seed, "geology")
    seeds = np.column_stack([chance.random(UNIT_SEEDS), chance.random(UNIT_SEEDS)]) * 1.9 - 0.95
    wander = (Noise(seed, "unit border u", width=0.35, octaves=4), Noise(seed, "unit border v", width=0.35, octaves=4))
    areas = divide(outline, seeds, wander, 0.05)
    found = []
    for number, area in enumerate(areas):
        kind = int(np.clip((1.0 - seeds[number, 0]) / 2.0 * len(UNITS), 0, len(UNITS) - 1))
        code, zh, en, age, lithology = UNITS[kind]
        values = {
            "unit_id": f"G{ADCODE}{number + 1:02d}",
            "code": code,
            **_named(Name(zh, en)),
            "age": age,
            "lithology": lithology,
        }
        found.append(Feature(area, values))
    return found


def build_fault(county: shapely.Polygon, seed: int) -> Feature:
    """An active fault along the foot of the western mountains."""
    west, south, _, north = county.bounds
    chance = stream(seed, "fault")
    lat = np.linspace(south, north, 14)
    lon = west + 0.13 + 0.05 * (lat - south) / (north - south) + 0.012 * (chance.random(14) - 0.5)
    line = shapely.intersection(shapely.LineString(np.round(smooth(np.column_stack([lon, lat])), 9)), county)
    values = {
        "fault_id": f"F{ADCODE}01",
        **_named(Name("样例山前断层", "Sample Piedmont Fault")),
        "kind": "reverse",
        "slip": "0.8 (0.3, 1.2)",
    }
    return Feature(line, values)
