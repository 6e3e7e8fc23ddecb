"""A whole night in the sample county, played through the public interfaces alone: HTTP, and MQTT for the gauge.

Every figure is compared with what the county's makers know, read from their files by other libraries.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import httpx
import networkx as nx
import numpy as np
import paho.mqtt.client as mqtt
import pyproj
import pytest
import rasterio
import shapely
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from exactextract import exact_extract
from rasterio.mask import raster_geometry_mask

from geoservice.app import create_app
from geoservice.cli import night as command
from geoservice.cli import run
from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.night import PLAYED_GAUGE, Player, Step
from geoservice.observations.listen import Broker, Flow, Listener
from geoservice.observations.topics import Pattern
from ingest.job import plan
from ingest.load import load
from ingest.raster import load_raster
from ingest.sample.night import LEVELS, WARNING_LEVEL
from layers.access import ALERT, OBSERVE, Clearance
from layers.catalog import Catalog, read_catalog
from layers.model import RasterLayer
from layers.system import api_key
from tests.support.broker import broker
from tests.support.county import WrittenCounty
from tests.support.editing import give_key
from tests.support.jobs import until
from tests.support.loading import prepared
from tests.support.observing import stored
from tests.support.service import running
from tests.support.serving import serving

ALL = read_catalog()
LOADED = (
    "division",
    "landuse_patch",
    "road",
    "populated_place",
    "building",
    "hospital",
    "school",
    "population",
    "elevation",
    "dam",
    "flood_extent",
)
CATALOG = Catalog({name: ALL.layer(name) for name in (*LOADED, "cap_alert")}, ALL.codelists)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
REACH, SNAPPED, RAPIDS = 20_000, 360, 5_000
"""Metres down the river: where a dam's wave has died away, where its course begins at the latest, and to where the
makers' river falls gently (18 m of water at the dam, 15 m there)."""
TOPIC = "v1.1/Datastreams({stream})/Observations"
NOW = dt.datetime.now(dt.UTC)
BEGIN = NOW.replace(microsecond=0) - dt.timedelta(hours=12, minutes=5)


@dataclass(frozen=True)
class County:
    """The county that its makers wrote, and a client of the service that has loaded it."""

    folder: Path
    client: httpx.Client
    database: Database

    def frame(self, layer: str) -> Any:
        return gpd.read_file(self.folder / f"sample_{layer}.gpkg", engine="pyogrio")

    def get(self, path: str) -> Any:
        """What anybody is told."""
        request = self.client.build_request("GET", path)
        del request.headers["X-API-Key"]
        answer = self.client.send(request)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def county(module_database: Database, small_county: WrittenCounty) -> Iterator[County]:
    folder = small_county.folder
    target = prepared(module_database, CATALOG)
    for name in LOADED:
        chosen = plan(CATALOG.layer(name), next(folder.glob(f"sample_{name}.*")), dict(CATALOG.codelists), "sample")
        (load_raster if isinstance(chosen.layer, RasterLayer) else load)(chosen, target)
    key = give_key(module_database, Clearance.RESTRICTED, [OBSERVE, ALERT])
    with running(module_database, CATALOG) as service:
        service.client.headers["X-API-Key"] = key
        yield County(folder, service.client, module_database)


@contextmanager
def by_mqtt(county: County, folder: Path) -> Iterator[Callable[[int, Sequence[tuple[dt.datetime, float]]], None]]:
    """Readings as a gauge sends them: a message each, to a broker to which the service listens."""
    stop = threading.Event()
    with broker(folder) as port:
        listener = Listener(county.database, Broker("127.0.0.1", port), Flow(Pattern.parse(TOPIC), None))
        thread = threading.Thread(target=listener.listen, args=(stop,))
        thread.start()
        gauge = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        gauge.connect("127.0.0.1", port)
        gauge.loop_start()

        def send(stream: int, levels: Sequence[tuple[dt.datetime, float]]) -> None:
            before = len(stored(county.database, "id"))
            for moment, level in levels:
                told = json.dumps({"phenomenonTime": moment.isoformat(), "result": level})
                gauge.publish(TOPIC.format(stream=stream), told, qos=1).wait_for_publish(20)
            until(lambda: len(stored(county.database, "id")) == before + len(levels))

        try:
            assert listener.ready.wait(20)
            yield send
        finally:
            gauge.disconnect()
            gauge.loop_stop()
            stop.set()
            thread.join(20)


def shape_of(zone: Any) -> Any:
    """All that a hazard zone covers."""
    return shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in zone["classes"]])


def section(found: Any, layer: str) -> Any:
    return next(one for one in found["sections"] if one["layer"] == layer)


def by_code(rows: Any) -> dict[str, float]:
    return {one["code"]: one["value"] for one in rows}


def areas(geometries: Any) -> Any:
    dense = shapely.segmentize(shapely.orient_polygons(np.asarray(geometries)), 0.001)
    return np.array([GEOD.geometry_area_perimeter(g)[0] for g in dense])


def require_hit(county: County, found: Any, zone: Any) -> None:
    """Compare an impact with geopandas and exactextract over the makers' files."""
    patches = gpd.clip(county.frame("landuse_patch"), zone, keep_geom_type=True)
    patches["m2"] = areas(patches.geometry)
    land = section(found, "landuse_patch")
    expected = patches.groupby("class_code")["m2"].sum().to_dict()
    assert by_code(land["rows"]) == pytest.approx(expected, rel=1e-5, abs=20)
    assert found["zone"]["area_m2"] == pytest.approx(areas([zone])[0], rel=1e-6)
    roads = gpd.clip(county.frame("road"), zone)
    roads["m"] = [GEOD.geometry_length(g) for g in roads.geometry]
    assert by_code(section(found, "road")["rows"]) == pytest.approx(
        roads.groupby("class")["m"].sum().to_dict(), rel=1e-5
    )
    for layer in ("building", "hospital", "school", "dam"):
        assert section(found, layer)["total"]["value"] == county.frame(layer).intersects(zone).sum(), layer
    with rasterio.open(county.folder / "sample_population.tif") as raster:
        people = exact_extract(raster, gpd.GeoDataFrame(geometry=[zone], crs=raster.crs), ["sum"], output="pandas")
    assert found["people"]["value"] == pytest.approx(people["sum"].sum(), rel=1e-4)
    places = county.frame("populated_place")
    inside = {f"populated_place/{one}" for one in places[places.intersects(zone)]["place_id"]}
    closed = section(found, "road")["total"]["value"] > 0
    ways = found["ways"]
    assert {one["id"] for one in ways["settlements"] if one["situation"] == "inside"} == inside
    assert (ways["closed_edges"] > 0) == closed


def check_gauge(county: County, player: Player, step: Step) -> None:
    dam = county.frame("dam").geometry.iloc[0]
    thing = county.get(f"/sensorthings/v1.1/Datastreams({step.answer})/Thing?$expand=Locations")
    assert thing["Locations"][0]["location"]["coordinates"] == pytest.approx([dam.x, dam.y], abs=1e-6)


def check_exceedances(county: County, player: Player, step: Step) -> None:
    found = {one["limit"]["name"]: one for one in step.answer["exceedances"]}
    runs = {"warning": [v for v in LEVELS if v > WARNING_LEVEL], "guaranteed": [4.8, 5.2, 5.1]}
    assert {name: (one["values"], one["worst"]["value"]) for name, one in found.items()} == {
        name: (len(values), max(values)) for name, values in runs.items()
    }
    hours = {"warning": (5, 11), "guaranteed": (7, 9)}
    for name, hour in hours.items():
        told = tuple(dt.datetime.fromisoformat(found[name][side]) for side in ("begin", "end"))
        assert told == tuple(BEGIN + n * dt.timedelta(hours=1) for n in hour), name
    latest = f"Datastreams({player.kept['gauge']})/Observations?$orderby=phenomenonTime desc&$top=1"
    assert [one["result"] for one in county.get(f"/sensorthings/v1.1/{latest}")["value"]] == [LEVELS[-1]]


def check_alert(county: County, player: Player, step: Step) -> None:
    assert (step.answer["outcome"], step.answer["state"]) == ("new", "active")
    assert [one["id"] for one in county.get("/alerts")["alerts"]] == [step.answer["id"]]
    drawn = county.get("/collections/cap_alert/items?f=json")["features"]
    flood = county.frame("flood_extent").geometry.union_all()
    assert {one["properties"]["severity"] for one in drawn} == {"Severe"}
    assert shapely.area(flood.difference(shapely.geometry.shape(drawn[0]["geometry"]))) < 0.02 * flood.area


def check_alert_impact(county: County, player: Player, step: Step) -> None:
    zone = county.get(f"/alerts/{player.kept['alert']['id']}/zone")
    require_hit(county, step.answer, shape_of(zone))
    again = player.client.post("/impact", json={"hazard": zone})
    once_more = player.client.post("/impact", json={"hazard": zone})
    assert again.content == once_more.content


def check_update(county: County, player: Player, step: Step) -> None:
    assert (step.answer["outcome"], step.answer["state"]) == ("new", "active")
    assert [one["id"] for one in county.get("/alerts")["alerts"]] == [step.answer["id"]]
    assert county.get(f"/alerts/{player.kept['alert']['id']}")["state"] == "updated"
    drawn = county.get("/collections/cap_alert/items?f=json")["features"]
    assert {one["properties"]["severity"] for one in drawn} == {"Extreme"}


def check_update_impact(county: County, player: Player, step: Step) -> None:
    require_hit(county, step.answer, shape_of(county.get(f"/alerts/{player.kept['update']['id']}/zone")))
    before, after = player.kept["alert-impact"], step.answer
    assert after["people"]["value"] > before["people"]["value"]
    assert [one["code"] for one in after["zone"]["classes"]] == ["Extreme"]


def check_zone(county: County, player: Player, step: Step) -> None:
    """Deep water along the makers' river below their dam, none in their reservoir, none beyond reach or too high."""
    zone, dam = step.answer, county.frame("dam").iloc[0]
    assert (zone["screening"], zone["status"]) == (True, "actual")
    kept = county.client.get(step.look)
    assert kept.json() == zone
    area, deepest = shape_of(zone), next(one for one in zone["classes"] if one["code"] == "3+")
    rivers = county.frame("river").geometry.to_numpy()
    line = shapely.get_coordinates(rivers[np.argmin(shapely.distance(rivers, dam.geometry))])
    assert line[0] == pytest.approx([dam.geometry.x, dam.geometry.y], abs=1e-8)
    metres = np.concatenate([[0.0], np.cumsum(GEOD.inv(*line[:-1].T, *line[1:].T)[2])])
    foot = (metres > SNAPPED) & (metres < RAPIDS)
    assert foot.sum() > 50
    assert shapely.contains_xy(shapely.geometry.shape(deepest["geometry"]), *line[foot].T).all()
    assert not shapely.contains_xy(area, *line[metres > REACH].T).any()
    assert shapely.area(area.intersection(county.frame("lake").geometry.union_all())) == 0
    with rasterio.open(county.folder / "sample_elevation.tif") as raster:
        heights, _, _ = raster_geometry_mask(raster, [area], crop=False, invert=True)
        bed = next(raster.sample([(dam.geometry.x, dam.geometry.y)]))[0]
        assert raster.read(1)[heights].max() < bed + dam["height"] * 4 / 9


def check_zone_impact(county: County, player: Player, step: Step) -> None:
    zone = shape_of(player.kept["zone"])
    require_hit(county, step.answer, zone)
    require_ways_around(county, zone)


def require_ways_around(county: County, zone: Any) -> None:
    """Between two places whose shortest way is cut: the way around is as long as networkx finds it over the file."""
    begin, end, before, after = way_around(county, zone)
    closed = {"zone": shapely.geometry.mapping(zone)}
    body = {"waypoints": [begin, end], "preference": "shortest", "closures": [closed]}
    answer = county.client.post("/routing/routes", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    line = next(one for one in found["features"] if one["properties"]["type"] == "overview")
    assert shapely.geometry.shape(line["geometry"]).intersection(zone).length == 0
    assert found["distance_m"] == pytest.approx(after, rel=1e-6, abs=1)
    assert found["closures"]["undisturbed"]["distance_m"] == pytest.approx(before, rel=1e-6, abs=1)


def way_around(county: County, zone: Any) -> tuple[Any, Any, float, float]:
    """Two junctions of the makers' roads, and the metres between them before and after the zone is closed."""
    whole = nx.Graph()
    for line in county.frame("road").explode(index_parts=False).geometry:
        at = [tuple(one) for one in np.round(shapely.get_coordinates(line), 9).tolist()]
        for one, other in pairwise(at):
            whole.add_edge(one, other, metres=GEOD.inv(*one, *other)[2], cut=shapely.LineString([one, other]))
    cut = nx.Graph(whole)
    segments = np.array(list(whole.edges), dtype=object)
    shapely.prepare(zone)
    hit = shapely.intersects(zone, np.array([whole.edges[tuple(map(tuple, one))]["cut"] for one in segments]))
    cut.remove_edges_from([tuple(map(tuple, one)) for one in segments[hit]])
    largest = sorted(max(nx.connected_components(cut), key=len))
    junctions = [one for one in largest if whole.degree(one) > 2]
    for begin, end in combinations(junctions[:: max(len(junctions) // 12, 1)], 2):
        before = nx.shortest_path_length(whole, begin, end, weight="metres")
        after = nx.shortest_path_length(cut, begin, end, weight="metres")
        if after > before + 100:
            return begin, end, before, after
    raise AssertionError("nothing in the county is cut by the zone")


def check_report(county: County, player: Player, step: Step) -> None:
    """The report that is kept says what the impact said, and its digest is that of its answer."""
    answer = county.client.get(f"/reports/{step.answer['id']}?f=json")
    assert answer.status_code == 200, answer.text
    told, impact = answer.json(), player.kept["zone-impact"]
    assert told["answer"]["people"] == impact["people"]
    assert [(one["layer"], one.get("total")) for one in told["answer"]["sections"]] == [
        (one["layer"], one.get("total")) for one in impact["sections"]
    ]
    canonical = json.dumps(told["answer"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert step.answer["digest"] == hashlib.sha256(canonical.encode()).hexdigest()
    signed = x509.load_pem_x509_certificate(told["certificate"].encode()).public_key()
    assert isinstance(signed, ec.EllipticCurvePublicKey)
    manifest = json.dumps(told["manifest"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    signed.verify(base64.b64decode(told["signature"]), manifest, ec.ECDSA(hashes.SHA256()))


def check_board(county: County, player: Player, step: Step) -> None:
    """The alert in force and the kept zone, in the divisions that they touch; the gauge is below its levels again."""
    alert, zone = f"alert:{player.kept['update']['id']}", f"zone:{player.kept['zone']['id']}"
    events = {one["id"]: one for one in step.answer["events"]}
    assert [(one["id"], one["severity"]) for one in step.answer["events"]] == [(alert, "Extreme"), (zone, "Unknown")]
    counties = county.frame("division")
    counties = counties[counties["level"] == "county"]
    warned = shape_of(county.get(f"/alerts/{player.kept['update']['id']}/zone"))
    for name, area in ((alert, warned), (zone, shape_of(player.kept["zone"]))):
        touched = set(counties[counties.intersects(area)]["adcode"])
        assert set(events[name]["regions"]) == touched
        assert events[name]["bbox"] == pytest.approx(area.bounds, abs=1e-6)
    again = county.client.post("/impact", json=events[zone]["impact"]["body"])
    assert again.json()["people"]["value"] == pytest.approx(player.kept["zone-impact"]["people"]["value"], rel=1e-6)


def check_cancel(county: County, player: Player, step: Step) -> None:
    assert step.answer["state"] == "notice"
    assert county.get("/alerts")["alerts"] == []
    assert county.get("/collections/cap_alert/items?f=json")["features"] == []
    story = county.get(f"/alerts/{player.kept['update']['id']}")
    assert story["state"] == "cancelled"
    assert {one["id"] for one in story["history"]} >= {player.kept["alert"]["id"], step.answer["id"]}


CHECKS = {
    "gauge": check_gauge,
    "exceedances": check_exceedances,
    "alert": check_alert,
    "alert-impact": check_alert_impact,
    "update": check_update,
    "update-impact": check_update_impact,
    "zone": check_zone,
    "zone-impact": check_zone_impact,
    "report": check_report,
    "board": check_board,
    "cancel": check_cancel,
}


def test_the_night_is_what_its_makers_know(county: County, tmp_path: Path) -> None:
    seen = []
    with by_mqtt(county, tmp_path) as send:
        player = Player(county.client, send, status="Actual")
        for step in player.play(NOW):
            seen.append(step.name)
            if step.name in CHECKS:
                CHECKS[step.name](county, player, step)
    assert set(seen) >= CHECKS.keys()


def gauge_of(told: Any) -> list[Any]:
    """What an answer says of the gauge of a night that is played."""
    found = told["exceedances"] if "exceedances" in told else [one["properties"] for one in told["features"]]
    return [one for one in found if one["name"] == PLAYED_GAUGE]


def test_the_command_plays_an_exercise_that_is_never_among_what_is_meant_in_earnest(
    county: County, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, played, earnest = len(stored(county.database, "id")), [], []
    gauges: dict[str, list[Any]] = {"told": [], "asked": []}

    def look(seconds: float) -> None:
        """Between two steps: what there is of the exercise, and what is told of as real."""
        assert seconds == 2
        played.append(len(county.get("/alerts?status=Exercise")["alerts"]))
        earnest.extend(county.get("/alerts")["alerts"])
        for path in ("/exceedances", "/exceedances/now", "/stations"):
            for way, query in (("told", ""), ("asked", "?exercise=true")):
                gauges[way] += [(path, one.get("exercise")) for one in gauge_of(county.get(path + query))]

    monkeypatch.setattr(command, "load_settings", lambda: county.database.settings)
    monkeypatch.setattr(command, "open_database", lambda settings: county.database)
    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=look))
    board = {one["id"] for one in county.get("/situation")["events"]}
    with serving(create_app(county.database.settings, CATALOG)) as address:
        assert run(["night", "--url", address, "--pause", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    names = [line.partition(":")[0] for line in said[::2]]
    assert names == ["gauge", *["level"] * 3, *[one for one in CHECKS if one != "gauge"]]
    assert all(line.startswith(f"  {address}/") and line.count("http") == 1 for line in said[1::2])
    assert earnest == []
    assert gauges["told"] == []
    assert set(gauges["asked"]) == {(path, True) for path in ("/exceedances", "/exceedances/now", "/stations")}
    assert (max(played), played[-1]) == (1, 0)
    assert {one["id"] for one in county.get("/situation")["events"]} <= board
    assert len(stored(county.database, "id")) == before + len(LEVELS)
    with county.database.transaction(Role.WRITER) as connection:
        keys = connection.execute(sa.select(api_key.c.revoked).where(api_key.c.name == "night")).scalars().all()
    assert len(keys) == 1
    assert keys[0] is not None


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--status", "Draft"], 2, "status is one of Exercise, Test, Actual"),
        (["--key", "k", "--url", "http://127.0.0.1:1"], 2, "cannot be reached"),
    ],
)
def test_what_cannot_be_played_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str
) -> None:
    assert run(["night", *arguments]) == code
    assert sentence in capsys.readouterr().err
