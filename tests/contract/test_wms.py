"""Web Map Service 1.3.0, over HTTP: who sees what, positions and colours of maps, errors in each form."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyproj
import pytest
import rasterio.features
import rasterio.transform
import shapely
from lxml import etree

from geoservice.maps.encode import decoded
from layers.access import Clearance
from tests.support.service import Service

WMS = {"w": "http://www.opengis.net/wms", "x": "http://www.w3.org/1999/xlink"}
OGC = {"o": "http://www.opengis.net/ogc"}
WIDTH, HEIGHT = 400, 300
AREAS = [shapely.box(105 + i / 20, 38, 105 + (i + 1) / 20, 38.2) for i in range(4)]
PLACE = (104.9, 37.9, 105.3, 38.3)


def asked(service: Service, clearance: Clearance | None = None, **pairs: Any) -> Any:
    return service.get("/wms?" + urlencode({"SERVICE": "WMS", **pairs}), clearance)


def get_map(service: Service, clearance: Clearance | None = None, **pairs: Any) -> Any:
    usual = {
        "VERSION": "1.3.0", "REQUEST": "GetMap", "LAYERS": "area", "STYLES": "", "CRS": "CRS:84",
        "BBOX": ",".join(map(str, PLACE)), "WIDTH": WIDTH, "HEIGHT": HEIGHT, "FORMAT": "image/png",
    }  # fmt: skip
    given = {k: v for k, v in {**usual, **pairs}.items() if v is not None}
    return asked(service, clearance, **given)


def pixels(response: Any) -> np.ndarray:
    assert response.status_code == 200, response.text
    return decoded(response.content)


def tree(response: Any) -> Any:
    assert response.headers["content-type"].startswith("text/xml")
    return etree.fromstring(response.content)


def report(response: Any) -> tuple[str | None, str]:
    (entry,) = tree(response).xpath("//o:ServiceException", namespaces=OGC)
    return entry.get("code"), entry.text


def covered(crs: str, box: tuple[float, float, float, float]) -> np.ndarray:
    """Pixels whose centre lies in the areas, by another library: densified, projected by pyproj, filled by GDAL."""
    way = pyproj.Transformer.from_crs("EPSG:4490", "OGC:CRS84" if crs == "CRS:84" else crs, always_xy=True)
    shapes = [
        shapely.transform(shapely.segmentize(one, 0.002), lambda xy: np.column_stack(way.transform(*xy.T)))
        for one in AREAS
    ]
    transform = rasterio.transform.from_bounds(*box, WIDTH, HEIGHT)
    return rasterio.features.rasterize(shapes, (HEIGHT, WIDTH), transform=transform).astype(bool)


class TestCapabilities:
    @pytest.mark.parametrize(
        ("clearance", "names"),
        [
            (None, {"spot"}),
            (Clearance.INTERNAL, {"spot", "area"}),
            (Clearance.RESTRICTED, {"spot", "area", "way"}),
        ],
    )
    def test_each_reader_is_told_of_his_layers(
        self, service: Service, clearance: Clearance | None, names: set[str]
    ) -> None:
        root = tree(asked(service, clearance, REQUEST="GetCapabilities"))
        assert set(root.xpath("//w:Layer/w:Name/text()", namespaces=WMS)) == names
        for hidden in {"area", "way"} - names:
            assert f">{hidden}<" not in etree.tostring(root).decode()

    def test_boxes_are_in_the_axis_order_of_their_system(self, service: Service) -> None:
        root = tree(asked(service, Clearance.INTERNAL, REQUEST="GetCapabilities"))
        (layer,) = root.xpath("//w:Layer[w:Name='area']", namespaces=WMS)
        boxes = {
            box.get("CRS"): [float(box.get(side)) for side in ("minx", "miny", "maxx", "maxy")]
            for box in layer.xpath("w:BoundingBox", namespaces=WMS)
        }
        assert boxes["CRS:84"] == pytest.approx([105, 38, 105.2, 38.2])
        assert boxes["EPSG:4326"] == boxes["EPSG:4490"] == pytest.approx([38, 105, 38.2, 105.2])
        way = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
        assert boxes["EPSG:3857"] == pytest.approx([*way.transform(105, 38), *way.transform(105.2, 38.2)])

    def test_it_follows_the_structure_of_the_standard(self, service: Service) -> None:
        """Order of the members of `Layer` in the schema of WMS 1.3.0."""
        order = [
            "Name", "Title", "Abstract", "KeywordList", "CRS", "EX_GeographicBoundingBox", "BoundingBox", "Dimension",
            "Attribution", "AuthorityURL", "Identifier", "MetadataURL", "DataURL", "FeatureListURL", "Style",
            "MinScaleDenominator", "MaxScaleDenominator", "Layer",
        ]  # fmt: skip
        root = tree(asked(service, Clearance.RESTRICTED, REQUEST="GetCapabilities"))
        assert root.tag == f"{{{WMS['w']}}}WMS_Capabilities"
        assert root.get("version") == "1.3.0"
        layers = root.xpath("//w:Layer", namespaces=WMS)
        assert layers
        for layer in layers:
            members = [order.index(etree.QName(member).localname) for member in layer]
            assert members == sorted(members)
            assert layer.xpath("w:Title", namespaces=WMS)
        assert {"EPSG:3857", "CRS:84", "EPSG:4326", "EPSG:4490", "EPSG:4526"} <= set(
            root.xpath("//w:CRS/text()", namespaces=WMS)
        )
        assert root.xpath("//w:Exception/w:Format/text()", namespaces=WMS) == ["XML", "INIMAGE", "BLANK"]

    def test_names_of_parameters_have_no_case_and_strangers_are_passed_over(self, service: Service) -> None:
        response = service.get("/wms?service=wms&ReQuEsT=GetCapabilities&whatever=1&whatever=2")
        assert tree(response).get("version") == "1.3.0"

    def test_update_sequence(self, service: Service) -> None:
        sequence = tree(asked(service, REQUEST="GetCapabilities")).get("updateSequence")
        again = asked(service, REQUEST="GetCapabilities", UPDATESEQUENCE=sequence)
        assert report(again)[0] == "CurrentUpdateSequence"
        for text in (int(sequence) + 1, "tomorrow"):
            answer = asked(service, REQUEST="GetCapabilities", UPDATESEQUENCE=text)
            assert report(answer)[0] == "InvalidUpdateSequence"
        earlier = asked(service, REQUEST="GetCapabilities", UPDATESEQUENCE=0)
        assert tree(earlier).get("updateSequence") == sequence

    def test_titles_in_one_language(self, service: Service) -> None:
        english = asked(service, REQUEST="GetCapabilities", LANGUAGE="en").content.decode()
        assert "地理" not in english
        assert "地理" in asked(service, REQUEST="GetCapabilities", LANGUAGE="zh").content.decode()

    def test_legends_have_addresses_that_answer(self, service: Service) -> None:
        root = tree(asked(service, REQUEST="GetCapabilities"))
        (address,) = root.xpath("//w:LegendURL/w:OnlineResource/@x:href", namespaces=WMS)
        answer = service.get(address.removeprefix("http://testserver"))
        assert answer.headers["content-type"] == "image/png"
        (legend,) = root.xpath("//w:LegendURL", namespaces=WMS)
        assert decoded(answer.content).shape == (4, int(legend.get("height")), int(legend.get("width")))
        assert decoded(answer.content)[:3].min() < 200


class TestMap:
    BOXES = (
        ("CRS:84", PLACE, False),
        ("EPSG:4326", PLACE, True),
        ("EPSG:4490", PLACE, True),
        ("EPSG:3857", (11_677_000, 4_570_000, 11_722_000, 4_630_000), False),
        ("EPSG:4523", (35_485_000, 4_195_000, 35_535_000, 4_240_000), True),
        ("EPSG:4544", (485_000, 4_195_000, 535_000, 4_240_000), True),
        ("EPSG:4496", (18_470_000, 4_190_000, 18_550_000, 4_250_000), True),
    )

    @pytest.mark.parametrize(("crs", "box", "swapped"), BOXES)
    def test_areas_lie_where_another_renderer_puts_them(
        self, service: Service, crs: str, box: tuple[float, float, float, float], swapped: bool
    ) -> None:
        written = (box[1], box[0], box[3], box[2]) if swapped else box
        drawn = pixels(
            get_map(service, Clearance.INTERNAL, CRS=crs, BBOX=",".join(map(str, written)), TRANSPARENT="TRUE")
        )
        expected = covered(crs, box)
        assert 1000 < expected.sum() < 100_000
        # Half covered pixels along the edges may fall on either side.
        inside = drawn[3] > 90
        edge = expected ^ np.roll(expected, 1, 0) | expected ^ np.roll(expected, 1, 1)
        wide = edge | np.roll(edge, -1, 0) | np.roll(edge, -1, 1)
        assert (inside != expected)[~wide].sum() == 0
        assert (inside != expected).sum() <= wide.sum() / 2

    def test_the_colour_is_that_of_the_style(self, service: Service) -> None:
        drawn = pixels(get_map(service, Clearance.INTERNAL))
        inside = drawn[:3, HEIGHT // 2, WIDTH // 2 - 25].astype(int)
        # #aabbcc at an opacity of 0.7 on white.
        assert np.abs(inside - (np.array([0xAA, 0xBB, 0xCC]) * 0.7 + 255 * 0.3)).max() <= 2
        assert drawn[:, 2, 2].tolist() == [255, 255, 255, 255]

    def test_background_and_transparency(self, service: Service) -> None:
        clear = pixels(get_map(service, Clearance.INTERNAL, TRANSPARENT="true"))
        assert clear[3, 2, 2] == 0
        blue = pixels(get_map(service, Clearance.INTERNAL, BGCOLOR="0x0000FF"))
        assert blue[:, 2, 2].tolist() == [0, 0, 255, 255]

    @pytest.mark.parametrize(("media", "start"), [("image/jpeg", b"\xff\xd8"), ("image/webp", b"RIFF")])
    def test_other_formats(self, service: Service, media: str, start: bytes) -> None:
        answer = get_map(service, Clearance.INTERNAL, FORMAT=media)
        assert answer.headers["content-type"] == media
        assert answer.content.startswith(start)

    def test_points_of_hidden_rows_are_not_drawn(self, service: Service) -> None:
        """Every third row is public: with less clearance fewer marks are drawn, each where its row lies."""
        marks = {}
        for clearance in (None, Clearance.INTERNAL, Clearance.RESTRICTED):
            drawn = pixels(get_map(service, clearance, LAYERS="spot", TRANSPARENT="TRUE"))
            west, south, east, north = PLACE
            marks[clearance] = {
                i
                for i in range(30)
                if drawn[3, round((north - (38.001 + i / 200)) / (north - south) * HEIGHT),
                         round((105.001 + i / 200 - west) / (east - west) * WIDTH)] > 128
            }  # fmt: skip
        assert marks[None] == set(range(0, 30, 3))
        assert marks[Clearance.INTERNAL] == {i for i in range(30) if i % 3 < 2}
        assert marks[Clearance.RESTRICTED] == set(range(30))

    def test_a_layer_above_is_like_none(self, service: Service) -> None:
        hidden, missing = get_map(service), get_map(service, LAYERS="nothing")
        assert hidden.status_code == missing.status_code == 404
        assert report(hidden)[0] == report(missing)[0] == "LayerNotDefined"
        assert report(hidden)[1].replace("area", "") == report(missing)[1].replace("nothing", "")
        assert get_map(service, LAYERS="reading").status_code == 404

    def test_boxes_beyond_the_world_are_drawn_as_far_as_it_reaches(self, service: Service) -> None:
        for crs, box in (
            ("CRS:84", "-400,-300,400,300"),
            ("EPSG:3857", "-9e7,-9e7,9e7,9e7"),
            ("EPSG:4523", "-1e8,-1e8,1e8,1e8"),
        ):
            assert pixels(get_map(service, Clearance.INTERNAL, CRS=crs, BBOX=box)).shape == (4, HEIGHT, WIDTH)

    def test_version_1_1_1_has_east_first(self, service: Service) -> None:
        old = get_map(service, Clearance.INTERNAL, VERSION="1.1.1", CRS=None, SRS="EPSG:4326")
        new = get_map(service, Clearance.INTERNAL, CRS="CRS:84")
        assert (pixels(old) == pixels(new)).all()

    def test_the_answer_is_kept_by_its_tag(self, service: Service) -> None:
        first = get_map(service, Clearance.INTERNAL)
        assert "private" in first.headers["cache-control"]
        query = {"VERSION": "1.3.0", "REQUEST": "GetMap"}
        assert query
        address = str(first.request.url).removeprefix("http://testserver")
        again = service.get(address, Clearance.INTERNAL, **{"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304


class TestErrors:
    @pytest.mark.parametrize(
        ("pairs", "code"),
        [
            ({"LAYERS": None}, "MissingParameterValue"),
            ({"CRS": None}, "MissingParameterValue"),
            ({"CRS": "EPSG:2327"}, "InvalidCRS"),
            ({"CRS": "EPSG:99999999999999999999"}, "InvalidCRS"),
            ({"FORMAT": "image/gif"}, "InvalidFormat"),
            ({"FORMAT": None}, "MissingParameterValue"),
            ({"STYLES": "pretty"}, "StyleNotDefined"),
            ({"STYLES": "default,default"}, "StyleNotDefined"),
            ({"BBOX": "1,2,3"}, "InvalidParameterValue"),
            ({"BBOX": "1,2,3,nan"}, "InvalidParameterValue"),
            ({"BBOX": "105,38,104,39"}, "InvalidParameterValue"),
            ({"BBOX": "105,38,105,39"}, "InvalidParameterValue"),
            ({"WIDTH": "1000000"}, "InvalidParameterValue"),
            ({"WIDTH": "0"}, "InvalidParameterValue"),
            ({"HEIGHT": "-1"}, "InvalidParameterValue"),
            ({"HEIGHT": "9" * 400}, "InvalidParameterValue"),
            ({"BGCOLOR": "red"}, "InvalidParameterValue"),
            ({"VERSION": "9.9.9"}, "InvalidParameterValue"),
            ({"LAYERS": ",".join(["spot"] * 41)}, None),
            ({"LAYERS": "spot", "TIME": "yesterday"}, "InvalidDimensionValue"),
        ],
    )
    def test_bad_requests_are_told_as_xml(self, service: Service, pairs: dict[str, Any], code: str | None) -> None:
        response = get_map(service, **{"LAYERS": "spot", **pairs})
        assert response.status_code == 400
        assert report(response)[0] == code

    def test_other_operations(self, service: Service) -> None:
        assert report(asked(service, REQUEST="Destroy"))[0] == "OperationNotSupported"
        assert report(asked(service))[0] == "MissingParameterValue"
        assert report(service.get("/wms?SERVICE=WFS&REQUEST=GetCapabilities"))[0] == "InvalidParameterValue"

    def test_a_parameter_with_two_values_is_refused(self, service: Service) -> None:
        response = service.get("/wms?SERVICE=WMS&REQUEST=GetMap&request=GetCapabilities")
        assert report(response)[0] == "InvalidParameterValue"

    def test_exceptions_as_images(self, service: Service) -> None:
        told = pixels(get_map(service, LAYERS="nothing", EXCEPTIONS="INIMAGE"))
        assert told.shape == (4, HEIGHT, WIDTH)
        assert (told[:3].min(axis=0) < 100).sum() > 100
        blank = pixels(get_map(service, LAYERS="nothing", EXCEPTIONS="BLANK", TRANSPARENT="TRUE"))
        assert blank[3].max() == 0
        assert report(get_map(service, LAYERS="nothing", EXCEPTIONS="INIMAGE", WIDTH="1000000"))[0] == "LayerNotDefined"

    def test_hostile_words_stay_words(self, service: Service) -> None:
        response = get_map(service, LAYERS="<script>alert(1)</script>\x00&amp;")
        assert "<script>" not in response.text
        assert report(response)[0] == "LayerNotDefined"


class TestInfo:
    def ask(self, service: Service, clearance: Clearance | None = None, **pairs: Any) -> Any:
        usual = {
            "REQUEST": "GetFeatureInfo",
            "QUERY_LAYERS": "area",
            "I": 200,
            "J": 150,
            "INFO_FORMAT": "application/json",
        }
        return get_map(service, clearance, **{**usual, **pairs})

    def test_the_feature_at_the_place(self, service: Service) -> None:
        found = self.ask(service, Clearance.INTERNAL).json()
        # Column 200 of 400 over 104.9 to 105.3 is 105.1: the border of the second and third area.
        assert found["features"][0]["properties"]["name"] in ("class 0", "class 1")
        assert found["features"][0]["collection"] == "area"
        nothing = self.ask(service, Clearance.INTERNAL, I=5, J=5).json()
        assert nothing["features"] == []

    def test_the_axis_order_counts_here_too(self, service: Service) -> None:
        swapped = self.ask(service, Clearance.INTERNAL, CRS="EPSG:4490", BBOX="37.9,104.9,38.3,105.3", I=170)
        plain = self.ask(service, Clearance.INTERNAL, I=170)
        assert swapped.json() == plain.json()
        assert len(plain.json()["features"]) == 1

    @pytest.mark.parametrize("media", ["text/html", "text/plain", "text/xml", "application/geo+json"])
    def test_formats(self, service: Service, media: str) -> None:
        answer = self.ask(service, Clearance.INTERNAL, INFO_FORMAT=media)
        assert answer.headers["content-type"].startswith(media)
        assert "class" in answer.text
        if media == "text/xml":
            assert etree.fromstring(answer.content).tag == "FeatureInfoResponse"

    def test_nothing_above_the_reader_is_told(self, service: Service) -> None:
        answer = self.ask(service, Clearance.INTERNAL, FEATURE_COUNT=50)
        assert "CNRY-2" not in answer.text
        spots = self.ask(service, None, LAYERS="spot", QUERY_LAYERS="spot", FEATURE_COUNT=50, I=100, J=200)
        assert "CNRY-1" not in spots.text
        assert self.ask(service).status_code == 404

    def test_places_outside_the_map_are_refused(self, service: Service) -> None:
        for pairs in ({"I": WIDTH}, {"J": -1}, {"I": "x"}):
            answer = self.ask(service, Clearance.INTERNAL, **pairs)
            assert report(answer)[0] == "InvalidPoint"
        assert report(self.ask(service, Clearance.INTERNAL, LAYERS="spot"))[0] == "LayerNotDefined"
        assert report(self.ask(service, Clearance.INTERNAL, INFO_FORMAT="x/y"))[0] == "InvalidFormat"

    def test_features_are_json(self, service: Service) -> None:
        assert json.loads(self.ask(service, Clearance.INTERNAL).content)["type"] == "FeatureCollection"


def test_legends(service: Service) -> None:
    answer = asked(service, Clearance.INTERNAL, REQUEST="GetLegendGraphic", LAYER="area", FORMAT="image/png")
    picture = decoded(answer.content)
    near = np.abs(picture[:3].astype(int) - np.array([0xAA, 0xBB, 0xCC])[:, None, None]).max(axis=0) < 6
    assert near.sum() > 150
    assert report(asked(service, REQUEST="GetLegendGraphic", LAYER="area"))[0] == "LayerNotDefined"
    assert report(asked(service, REQUEST="GetLegendGraphic", LAYER="spot", STYLE="x"))[0] == "StyleNotDefined"
    assert report(asked(service, REQUEST="GetLegendGraphic", LAYER="spot", WIDTH="5000"))[0] == "InvalidParameterValue"
