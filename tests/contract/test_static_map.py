"""Maps for reports: what they show, how large they are, and what is refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyproj
import pytest

from geoservice.maps.encode import decoded
from geoservice.maps.static import length_words, scale_length
from layers.access import Clearance
from tests.support.service import Service

GEOD = pyproj.Geod(ellps="WGS84")
BOX = "104.95,37.95,105.25,38.25"
USUAL = {"bbox": BOX, "width": 600, "height": 400, "layers": "area", "lang": "en"}


def ask(service: Service, clearance: Clearance | None = Clearance.INTERNAL, **pairs: Any) -> Any:
    given = {k: v for k, v in {**USUAL, **pairs}.items() if v is not None}
    return service.get("/maps/static?" + urlencode(given), clearance)


def image(response: Any) -> np.ndarray:
    assert response.status_code == 200, response.text
    return decoded(response.content)


def test_it_has_the_size_and_ratio_asked_for(service: Service) -> None:
    assert image(ask(service)).shape == (4, 400, 600)
    assert image(ask(service, ratio=2)).shape == (4, 800, 1200)
    usual = ask(service, width=None, height=None)
    assert image(usual).shape == (4, 600, 800)


def test_the_box_is_in_the_map_and_the_place_in_its_middle(service: Service) -> None:
    for crs in ("EPSG:3857", "EPSG:4490", "EPSG:4523"):
        drawn = image(ask(service, crs=crs, furniture="no"))
        ground = drawn[:3, 2, 2]
        rows, columns = np.nonzero((drawn[:3] != ground[:, None, None]).any(axis=0))
        # The areas reach from 105 to 105.2 and from 38 to 38.2: two thirds of the box, in its middle.
        assert (rows.min() + rows.max()) / 2 == pytest.approx(200, abs=3)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(300, abs=3)
        assert rows.max() - rows.min() == pytest.approx(400 * 2 / 3, abs=5)


def test_zoom_is_that_of_tiles_of_512_points(service: Service) -> None:
    drawn = image(ask(service, bbox=None, center="105.1,38.1", zoom=10, furniture="no"))
    _, columns = np.nonzero((drawn[:3] != drawn[:3, 2, 2][:, None, None]).any(axis=0))
    assert columns.max() - columns.min() == pytest.approx(0.2 / 360 * 512 * 2**10, abs=3)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4490", "EPSG:4523"])
def test_the_scale_bar_is_true(service: Service, crs: str) -> None:
    drawn = image(ask(service, bbox=None, center="105.1,38.1", zoom=11, crs=crs, layers="spot"))
    plain = image(ask(service, bbox=None, center="105.1,38.1", zoom=11, crs=crs, layers="spot", furniture="no"))
    dark = (drawn[:3].max(axis=0) < 120) & (drawn != plain).any(axis=0)
    bar = np.flatnonzero(dark[388:393, :200].any(axis=0))
    points = bar.max() - bar.min() - 1
    metres = 512 * 2**11
    ground = 40075016.685578488 / metres * np.cos(np.radians(38.1))
    assert points == pytest.approx(scale_length(ground) / ground, abs=3)
    # What a point is on the ellipsoid differs by the flattening alone.
    assert GEOD.inv(105.1, 38.1, 105.1 + 360 / metres, 38.1)[2] == pytest.approx(ground, rel=0.004)


def test_lengths_of_scale_bars() -> None:
    assert [scale_length(g) for g in (1.0, 0.02, 39.0, 18.2)] == [100, 2, 2000, 2000]
    assert scale_length(18.1) == 1000
    assert length_words(500, "en") == "500 m"
    assert length_words(20_000, "zh") == "20 公里"


def test_formats(service: Service) -> None:
    for name, media in (("png", "image/png"), ("jpeg", "image/jpeg"), ("webp", "image/webp")):
        assert ask(service, f=name).headers["content-type"] == media
    assert ask(service, f="gif").status_code == 400


def test_labels_are_in_the_language_asked_for(service: Service) -> None:
    zh, en = (image(ask(service, layers="spot", lang=language)) for language in ("zh", "en"))
    assert (zh != en).any()


def test_without_names_the_layers_are_those_that_the_portal_shows_at_first(service: Service) -> None:
    assert not any(layer.portal.visible for layer in service.catalog)
    nothing = image(ask(service, Clearance.RESTRICTED, layers=None, furniture="no"))
    assert len(np.unique(nothing.reshape(4, -1), axis=1).T) == 1


def test_a_layer_above_is_like_none(service: Service) -> None:
    hidden, missing = ask(service, None), ask(service, None, layers="nothing")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace("area", "") == missing.json()["detail"].replace("nothing", "")


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ({"bbox": None}, 400),
        ({"center": "105,38"}, 400),
        ({"bbox": None, "center": "105,38"}, 400),
        ({"bbox": None, "center": "105", "zoom": 3}, 400),
        ({"bbox": None, "center": "105,91", "zoom": 3}, 400),
        ({"bbox": None, "center": "105,38", "zoom": "nan"}, 400),
        ({"bbox": None, "center": "105,38", "zoom": 99}, 400),
        ({"bbox": "105,38,105,38"}, 400),
        ({"bbox": "170,38,-170,39"}, 400),
        ({"bbox": "-75,38,-74,39", "crs": "EPSG:4523"}, 400),
        ({"crs": "EPSG:2327"}, 400),
        ({"width": 1_000_000}, 400),
        ({"width": 15}, 400),
        ({"width": "9" * 99}, 400),
        ({"ratio": 3}, 400),
        ({"furniture": "maybe"}, 400),
        ({"layers": ",".join(["spot"] * 41)}, 400),
        ({"layers": "reading"}, 400),
        ({"layers": "spot,,"}, 404),
        ({"colour": "red"}, 400),
    ],
)
def test_bad_requests_are_refused(service: Service, pairs: dict[str, Any], status: int) -> None:
    response = ask(service, **pairs)
    assert response.status_code == status
    assert response.json()["detail"]
