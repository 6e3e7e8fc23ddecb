"""Styles, sprites and glyphs over HTTP: a map can be drawn from them and this service alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from layers.access import Clearance
from tests.support.service import Service
from tests.web.test_glyphs import decode

MAPBOX = "application/vnd.mapbox.style+json"


def addresses(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if "://" in value else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [found for part in parts for found in addresses(part)]


def test_the_list_names_what_the_reader_may_see(service: Service) -> None:
    public = service.get("/styles").json()
    assert [one["id"] for one in public["styles"]] == ["map", "spot"]
    everything = service.get("/styles", Clearance.RESTRICTED).json()
    assert {one["id"] for one in everything["styles"]} == {"map", "spot", "area", "way"}
    for one in everything["styles"]:
        address = one["links"][0]["href"].removeprefix("http://testserver")
        assert service.get(address, Clearance.RESTRICTED).headers["content-type"] == MAPBOX


def test_a_style_names_this_service_alone(service: Service) -> None:
    response = service.get("/styles/map?f=mapbox", Clearance.RESTRICTED)
    style = response.json()
    assert style["version"] == 8
    assert set(style["sources"]) == {"spot", "area", "way"}
    found = addresses(style)
    assert len(found) == 4
    assert all(one.startswith("http://testserver/") for one in found)
    tile = style["sources"]["spot"]["tiles"][0].format(z=0, x=0, y=0).removeprefix("http://testserver")
    assert service.get(tile).status_code == 200
    glyphs = style["glyphs"].format(fontstack="Noto%20Sans%20Regular", range="0-255")
    assert service.get(glyphs.removeprefix("http://testserver")).status_code == 200


def test_a_layer_above_is_missing_in_every_form(service: Service) -> None:
    for path in ("/styles/area", "/styles/area/metadata", "/styles/area/sprite.json", "/collections/area/styles"):
        assert service.get(path).status_code == 404
        assert service.get(path, Clearance.INTERNAL).status_code == 200
    missing, hidden = service.get("/styles/nothing"), service.get("/styles/area")
    assert missing.json()["detail"].replace("nothing", "area") == hidden.json()["detail"]
    assert "area" not in service.get("/styles/map").text


def test_styles_of_a_collection(service: Service) -> None:
    listed = service.get("/collections/spot/styles").json()
    assert [one["id"] for one in listed["styles"]] == ["default"]
    own, shared = service.get("/collections/spot/styles/default"), service.get("/styles/spot")
    assert own.json() == shared.json()
    assert service.get("/collections/spot/styles/other").status_code == 404
    assert service.get("/collections/reading/styles").status_code == 404


def test_metadata_have_the_legend_in_both_languages(service: Service) -> None:
    for language in ("zh", "en"):
        body = service.get(f"/styles/spot/metadata?lang={language}").json()
        assert body["id"] == "spot"
        assert body["layers"][0]["legend"][0]["shape"] == "circle"
        assert {"zh", "en"} == set(body["layers"][0]["legend"][0]["label"])


def test_a_style_is_a_page_too(service: Service) -> None:
    page = service.get("/styles/map?f=html")
    assert page.headers["content-type"].startswith("text/html")


def test_sprites_come_in_two_resolutions(service: Service) -> None:
    assert service.get("/styles/map/sprite.json").json() == {}
    for name in ("sprite", "sprite@2x"):
        assert service.get(f"/styles/map/{name}.png").content.startswith(b"\x89PNG")
    for wrong in ("sprite@3x.png", "sprite.gif", "sprite", "x.json", "sprite.json.png"):
        assert service.get(f"/styles/map/{wrong}").status_code == 404


def test_glyphs_of_chinese_are_served(service: Service) -> None:
    code = ord("湖")
    first = code // 256 * 256
    response = service.get(f"/fonts/Noto Sans Regular/{first}-{first + 255}.pbf")
    assert response.headers["content-type"] == "application/x-protobuf"
    stack, span, found = decode(response.content)
    assert (stack, span) == ("Noto Sans Regular", f"{first}-{first + 255}")
    assert code in {one[1] for one in found}
    assert service.get(f"/fonts/Other,Noto Sans Regular/{first}-{first + 255}.pbf").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "Noto Sans Regular/1-256.pbf",
        "Noto Sans Regular/65536-65791.pbf",
        "Noto Sans Regular/0-255",
        "Noto Sans Regular/-256--1.pbf",
        "Noto Sans Regular/0-255.pbf.pbf",
        "Noto Sans Regular/..%2f..%2fassets.json",
        "Other/0-255.pbf",
        f"Noto Sans Regular/{'9' * 5000}-255.pbf",
    ],
)
def test_other_glyphs_are_missing(service: Service, path: str) -> None:
    assert service.get(f"/fonts/{path}").status_code == 404


def test_the_style_is_kept_by_its_tag(service: Service) -> None:
    first = service.get("/styles/spot")
    assert service.get("/styles/spot", None, **{"If-None-Match": first.headers["etag"]}).status_code == 304
    private = service.get("/styles/area", Clearance.INTERNAL)
    assert "private" in private.headers["cache-control"]
    assert "json" in json.dumps(dict(private.headers))
