"""The map of a field package: what is in it, for whom, and that a change of it is found out."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import re
import zipfile
from typing import Any

import pytest
import shapely
from pmtiles.reader import MemorySource, all_tiles

from geoservice.reports import surroundings, verify
from geoservice.reports.carrier import opened
from geoservice.reports.errors import ContentChanged
from geoservice.reports.seal import own_certificates
from layers.access import Clearance
from tests.geoservice.reports.conftest import Office

CHUNK = re.compile(r'pack\.chunk\("[^"]+", \d+, "([^"]+)"\);')


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def package(office: Office) -> dict[str, bytes]:
    response = office.service.get(f"/reports/{office.made['id']}?f=zip", Clearance.RESTRICTED)
    assert response.status_code == 200, response.text
    return files_of(response.content)


def config_of(files: dict[str, bytes]) -> Any:
    return json.loads(files["page/config.js"].decode().partition("window.PACKAGE = ")[2].rstrip(";\n"))


def tiles_of(files: dict[str, bytes]) -> bytes:
    """The content of all tiles of the map, one after the other."""
    names = sorted((n for n in files if n.startswith("page/data/map-")), key=lambda n: int(n.split("-")[-1][:-3]))
    found = [CHUNK.fullmatch(files[name].decode().strip()) for name in names]
    archive = b"".join(base64.b64decode(one[1]) for one in found if one is not None)
    return b"".join(gzip.decompress(body) for _, body in all_tiles(MemorySource(archive)))


def test_the_map_has_the_zone_and_what_it_hits_on_top(package: dict[str, bytes]) -> None:
    told = config_of(package)
    own = [layer["id"] for layer in told["layers"] if layer.get("own")]
    assert own == ["hit", "zone"]
    zone = told["own"]["sources"]["own-zone"]["data"]["features"]
    assert [one["properties"]["code"] for one in zone] == ["shallow", "deep"], "the worst is drawn last"
    assert len(told["own"]["sources"]["own-hit"]["data"]["features"]) == 30
    assert {"spot", "area"} <= {layer["id"] for layer in told["layers"]}
    assert "演练" in told["banner"]["zh"]
    assert "EXERCISE" in told["banner"]["en"]
    assert sum(map(len, package.values())) < 20 << 20
    assert b"http://" not in package["map.html"]
    assert b"https://" not in package["map.html"]


def test_a_link_for_the_public_has_a_map_for_the_public(links: Office, package: dict[str, bytes]) -> None:
    for level in (Clearance.PUBLIC, Clearance.INTERNAL, Clearance.RESTRICTED):
        assert f"CNRY-{int(level)}".encode() in tiles_of(package), "the map of the owner shows all of it"
    expires = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    body = {"expires": expires, "clearance": "public"}
    made = links.post(f"/reports/{links.made['id']}/shares", body)
    assert made.status_code == 201, made.text
    shared = links.service.get(f"{made.json()['url'].removeprefix('http://testserver')}?f=zip")
    assert shared.status_code == 200, shared.text
    files = files_of(shared.content)
    assert b"CNRY-0" in tiles_of(files)
    for content in (tiles_of(files), files["page/config.js"]):
        assert b"CNRY-1" not in content
        assert b"CNRY-2" not in content
    assert "area" not in {layer["id"] for layer in config_of(files)["layers"]}


@pytest.mark.parametrize("name", ["map.html", "page/config.js", "page/data/map-0.js"])
def test_a_changed_map_is_found_out(office: Office, package: dict[str, bytes], name: str) -> None:
    trusted = own_certificates(office.database.settings.home)
    for changed, good in ((package, True), (package | {name: package[name] + b" "}, False)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for one, content in changed.items():
                archive.writestr(one, content)
        carried = opened("x", out.getvalue())
        if good:
            assert name in verify.check_seal(carried, trusted)
        else:
            with pytest.raises(ContentChanged, match=name):
                verify.check_seal(carried, trusted)


def test_the_map_is_made_once(office: Office, package: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("it is kept")

    monkeypatch.setattr(surroundings, "write_map", never)
    again = office.service.get(f"/reports/{office.made['id']}?f=zip", Clearance.RESTRICTED)
    # Every package has a fresh signature of its list.
    signed = {"contents.sig"}
    found = files_of(again.content)
    assert {name: found[name] for name in found.keys() - signed} == {n: package[n] for n in package.keys() - signed}


def test_tiles_are_as_fine_as_their_number_allows() -> None:
    assert surroundings._highest((105.0, 38.0, 105.2, 38.2)) >= 13
    assert surroundings._highest((-180.0, -85.0, 180.0, 85.0)) == 3
    for box in ((105.0, 38.0, 105.2, 38.2), (70.0, 15.0, 140.0, 55.0), (105.0, 38.0, 105.001, 38.001)):
        zoom = surroundings._highest(box)
        assert surroundings._count(box, zoom) <= 160
        assert zoom == 15 or surroundings._count(box, zoom + 1) > 160


def test_a_zone_on_both_sides_of_the_antimeridian_is_one_place() -> None:
    sides = [shapely.box(179.8, 10.0, 180.0, 10.2), shapely.box(-180.0, 10.0, -179.9, 10.2)]
    west, south, east, north = around = surroundings._around([shapely.MultiPolygon(sides)], 0.1)
    assert (west, south, east, north) == pytest.approx((179.77, 9.98, 180.13, 10.22))
    assert surroundings._highest(around) >= 13
    whole = surroundings._surface(around)
    assert shapely.area(whole) == pytest.approx((east - west) * (north - south))
    assert all(shapely.covers(whole, side) for side in sides)
    # The negative controls: zones that stay on one side, or reach around the globe, are not turned.
    for box in ((-179.0, 10.0, -178.0, 11.0), (178.0, 10.0, 179.0, 11.0), (-170.0, 10.0, 170.0, 11.0)):
        assert surroundings._bounds([shapely.box(*box)]) == box


@pytest.mark.parametrize("pole", [(10.0, 89.0, 20.0, 90.0), (10.0, -90.0, 20.0, -89.0)])
def test_a_zone_at_a_pole_has_the_edge_of_the_map(pole: tuple[float, float, float, float]) -> None:
    box = surroundings._around([shapely.box(*pole)], 0.8)
    assert -85 <= box[1] < box[3] <= 85
    assert 1 <= surroundings._count(box, surroundings._highest(box)) <= 160
