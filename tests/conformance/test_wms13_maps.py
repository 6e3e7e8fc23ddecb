"""WMS 1.3.0, maps and features: what the suite ets-wms13 asks, of layers of our own.

Docstrings name the script and the tests of the suite; clauses are those of OGC 06-042. The options of the suite that
want its data set (`cite:Lakes`, `cite:Autos` and others around 0 degrees) are asked of our layers where their point
does not depend on it: numbers with exponents, pixels at the rim, background, transparency, order of layers, stretching.
The ELEVATION options are not asked: no layer has elevations to choose from.
"""

from __future__ import annotations

import re

import numpy as np
import pyproj
import pytest

from tests.conformance.pictures import size
from tests.conformance.wms import (
    EAST,
    INFO,
    MAP,
    NAMES,
    ask,
    capabilities,
    drawn,
    formats,
    layers,
    lineage,
    media,
    refused,
    texts,
)
from tests.support.service import Service
from tests.support.site import HIDDEN, SIDE, SOUTH, WEST

WHITE, BLUE, RED = (255, 255, 255), (0, 0, 255), (255, 0, 0)
EMPTY = (slice(10, 40), slice(60, 90))
"""Rows and columns of the map in its north-east, where no field is."""
FULL = (slice(60, 90), slice(10, 90))
"""Rows and columns in the south, which one field covers."""


# ---------------------------------------------------------------- getmap.xml: BBOX


def test_each_layer_is_drawn_in_its_own_box(site: Service) -> None:
    """layers: each-layer; bbox: bbox-direct and bbox-inherited."""
    for layer in layers(site):
        box = next(box for one in lineage(layer) for box in one.iterfind("w:BoundingBox", NAMES))
        corners = ",".join(box.get(name) for name in ("minx", "miny", "maxx", "maxy"))
        drawn(ask(site, MAP, layers=texts(layer, "w:Name")[0], bbox=corners, crs=box.get("CRS")))


def test_numbers_may_have_exponents(site: Service) -> None:
    """basic.xml, bbox: bbox-exponential (clause 6.5)."""
    plain = ask(site, MAP, bbox="105.0,38,105.2,38.2")
    powers = ask(site, MAP, bbox="10.50E1,.38E+2,+1052E-1,382.0e-1")
    assert np.array_equal(drawn(plain), drawn(powers))


def test_the_box_goes_around_the_pixels(site: Service) -> None:
    """basic.xml, bbox: bbox-pixel-interpretation: a box full to its rim has no white pixel at the rim."""
    corners = f"{WEST + 0.01},{SOUTH + 0.01},{EAST - 0.01},{SOUTH + SIDE / 2 - 0.01}"
    image = drawn(ask(site, MAP, bbox=corners, width=10, height=7))[:3]
    rim = np.concatenate([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], axis=1)
    assert not (rim == 255).all(axis=0).any()


@pytest.mark.parametrize("corners", ["1,0,0,1", "0,0,0,1", "0,1,1,0", "0,0,1,0", "0,0,1", "a,b,c,d", "nan,0,1,1"])
def test_a_box_that_is_none_is_refused(site: Service, corners: str) -> None:
    """bbox: bbox-minx-gt-maxx, bbox-minx-eq-maxx, bbox-miny-gt-maxy, bbox-miny-eq-maxy; the last three are ours."""
    refused(ask(site, MAP, bbox=corners))


@pytest.mark.parametrize("corners", ["-20,-20,-19,-19", "-270,-180,270,180"])
def test_a_box_elsewhere_is_drawn_empty(site: Service, corners: str) -> None:
    """bbox: bbox-no-overlap and bbox-outside-crs."""
    image = drawn(ask(site, MAP, bbox=corners, transparent="TRUE"))
    assert (image[3] == 0).mean() > 0.9


@pytest.mark.parametrize("width", [0.0001, 300.0])
def test_a_scale_beyond_those_of_a_layer_is_no_error(site: Service, width: float) -> None:
    """bbox: bbox-below-scale and bbox-above-scale."""
    corners = f"{WEST},{SOUTH},{WEST + width},{SOUTH + min(width, 50)}"
    drawn(ask(site, MAP, bbox=corners))


# ---------------------------------------------------------------- CRS


def test_each_crs_is_drawn(site: Service) -> None:
    """crs: crs-direct, crs-inherited, each-crs: the field lies where PROJ puts it, by the axes of the CRS."""
    (layer,) = [one for one in layers(site) if texts(one, "w:Name") == ["field"]]
    asked = [crs for one in lineage(layer) for crs in texts(one, "w:CRS")]
    assert {"CRS:84", "EPSG:4326", "EPSG:4490", "EPSG:3857"} <= set(asked)
    for crs in asked:
        target = pyproj.CRS("OGC:CRS84" if crs == "CRS:84" else crs)
        # Coordinates in the order of the axes that the definition gives, as WMS 1.3.0 wants them.
        move = pyproj.Transformer.from_crs("OGC:CRS84", target)
        (x0, y0), (x1, y1) = move.transform(WEST + 0.02, SOUTH + 0.02), move.transform(EAST - 0.02, SOUTH + 0.08)
        corners = ",".join(repr(value) for value in (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
        image = drawn(ask(site, MAP, crs=crs, bbox=corners, transparent="TRUE"))
        # Zones far away bend the square; the middle of the box is in the field in any case.
        assert image[3, 40:60, 40:60].all(), crs


def test_an_unknown_crs_is_refused(site: Service) -> None:
    """crs: invalid-crs."""
    refused(ask(site, MAP, crs="UnknownCRS"), "InvalidCRS")
    refused(ask(site, MAP, crs="EPSG:999999"), "InvalidCRS")


# ---------------------------------------------------------------- FORMAT, WIDTH, HEIGHT


def test_each_format_is_served(site: Service) -> None:
    """format: each-format; basic.xml: gif-or-png."""
    offered = formats(site, "GetMap")
    assert "image/png" in offered
    for media_type in offered:
        image = drawn(ask(site, MAP, format=media_type), media_type.partition(";")[0])
        assert image.shape[1:] == (100, 100)


def test_an_unknown_format_is_refused(site: Service) -> None:
    """format: invalid-format."""
    refused(ask(site, MAP, format="UnknownFormat"), "InvalidFormat")


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (8, 5), (1, 1)])
def test_maps_have_the_size_that_was_asked_for(site: Service, width: int, height: int) -> None:
    """width-and-height: large-size and small-size."""
    answer = ask(site, MAP, width=width, height=height)
    assert media(answer) == "image/png"
    assert size(answer.content) == (width, height)


def test_the_largest_map_is_drawn_and_a_larger_one_refused(site: Service) -> None:
    """width-and-height: large-size, when MaxWidth and MaxHeight are stated (clause 7.2.4.3)."""
    service = capabilities(site).find("w:Service", NAMES)
    stated = [int(text) for name in ("MaxWidth", "MaxHeight") for text in texts(service, f"w:{name}")]
    assert len(stated) == 2
    answer = ask(site, MAP, width=stated[0], height=stated[1])
    assert size(answer.content) == tuple(stated)
    refused(ask(site, MAP, width=stated[0] + 1))
    for absurd in ("1000000", "0", "-1", "1.5", "x"):
        refused(ask(site, MAP, height=absurd))


def test_another_ratio_stretches_the_map(site: Service) -> None:
    """interactive.xml: aspect-ratio (clause 7.3.3.8): twice as high, the same picture."""
    once = drawn(ask(site, MAP))[:3].astype(int)
    twice = drawn(ask(site, MAP, height=200))[:3, ::2].astype(int)
    assert (np.abs(once - twice).max(axis=0) > 60).mean() < 0.03


# ---------------------------------------------------------------- LAYERS, STYLES


@pytest.mark.parametrize("names", ["field,way", "field,way,spot", "relief,field", "field,field,field,field"])
def test_several_layers_make_one_map(site: Service, names: str) -> None:
    """layers: two-layers, three-layers and layerlimit."""
    assert not (drawn(ask(site, MAP, layers=names))[:3] == 255).all()


@pytest.mark.parametrize("names", ["NonExistent", "NonExistent,field", "field,NonExistent", HIDDEN, f"field,{HIDDEN}"])
def test_a_layer_that_is_not_there_is_refused(site: Service, names: str) -> None:
    """layers: invalid-layer, first-layer-invalid and second-layer-invalid; a hidden layer is as unknown."""
    refused(ask(site, MAP, layers=names), "LayerNotDefined")


def test_later_layers_lie_above(site: Service) -> None:
    """interactive.xml: layer-order (clause 7.3.3.3): the leftmost of the list lies lowest."""
    spot = (WEST + 0.005 + 4 / 60, SOUTH + 0.005 + 4 / 60)
    around = f"{spot[0] - 0.002},{spot[1] - 0.002},{spot[0] + 0.002},{spot[1] + 0.002}"
    above = drawn(ask(site, MAP, layers="field,spot", bbox=around))[:3, 50, 50].astype(int)
    below = drawn(ask(site, MAP, layers="spot,field", bbox=around))[:3, 50, 50].astype(int)
    assert np.abs(above - (0x33, 0x66, 0x99)).max() < np.abs(below - (0x33, 0x66, 0x99)).max()


def test_each_style_is_drawn(site: Service) -> None:
    """styles: each-style, styles-direct, styles-inherited, two-styles and three-styles."""
    named = {texts(layer, "w:Name")[0]: [s for one in lineage(layer) for s in texts(one, "w:Style/w:Name")]
             for layer in layers(site)}  # fmt: skip
    for layer, styles in named.items():
        for style in styles:
            drawn(ask(site, MAP, layers=layer, styles=style))
    several = ["field", "way", "spot"]
    drawn(ask(site, MAP, layers=",".join(several), styles=",".join(named[layer][0] for layer in several)))


@pytest.mark.parametrize(("names", "styles"), [("field", ""), ("field,way", ""), ("field,way", ","), ("a,b,c", ",,")])
def test_styles_may_be_left_to_the_service(site: Service, names: str, styles: str) -> None:
    """styles: styles-default-single-layer, -default-multiple-layers, -default-commas and styles-some-default."""
    names = names.replace("a,b,c", "field,way,spot")
    drawn(ask(site, MAP, layers=names, styles=styles))
    first = next(texts(one, "w:Style/w:Name")[0] for one in layers(site) if texts(one, "w:Name") == ["field"])
    drawn(
        ask(site, MAP, layers=names, styles=first + styles[1:] if "," not in names else first + "," * names.count(","))
    )


@pytest.mark.parametrize(("names", "styles"), [("field", "Bogus"), ("field,way", "Bogus,"), ("field,way", ",Bogus")])
def test_an_unknown_style_is_refused(site: Service, names: str, styles: str) -> None:
    """styles: invalid-style, first-style-invalid and second-style-invalid."""
    refused(ask(site, MAP, layers=names, styles=styles), "StyleNotDefined")


# ---------------------------------------------------------------- BGCOLOR, TRANSPARENT, EXCEPTIONS


@pytest.mark.parametrize(("colour", "expected"), [(None, WHITE), ("0xFFFFFF", WHITE), ("0x0000FF", BLUE)])
@pytest.mark.parametrize("transparent", [None, "FALSE"])
def test_what_is_not_covered_has_the_background(
    site: Service, colour: str | None, expected: tuple[int, ...], transparent: str | None
) -> None:
    """basic.xml: no-bgcolor and blue-bgcolor; transparent: transparent-default and transparent-false."""
    image = drawn(ask(site, MAP, BgCoLoR=colour, TrAnSpArEnT=transparent))
    assert (image[:3][:, *EMPTY] == np.array(expected)[:, None, None]).all()
    assert not (image[:3][:, *FULL] == np.array(expected)[:, None, None]).all(axis=0).any()
    assert image.shape[0] == 3 or (image[3] == 255).all()


def test_what_is_not_covered_may_be_transparent(site: Service) -> None:
    """basic.xml: transparent-true; transparent: transparent-opaque-layer."""
    image = drawn(ask(site, MAP, transparent="TRUE"))
    assert not image[3][EMPTY].any()
    assert image[3][FULL].all()
    drawn(ask(site, MAP, layers="relief", transparent="TRUE"))


@pytest.mark.parametrize("exceptions", [None, "XML"])
def test_exceptions_are_xml(site: Service, exceptions: str | None) -> None:
    """exceptions: exceptions-default and exceptions-xml."""
    refused(ask(site, MAP, layers="NonExistent", exceptions=exceptions), "LayerNotDefined")


def test_exceptions_may_be_images(site: Service) -> None:
    """exceptions: exceptions-inimage-mime, exceptions-blank-mime, -blank-red and -blank-transparent."""
    assert {"INIMAGE", "BLANK"} <= set(texts(capabilities(site), "w:Capability/w:Exception/w:Format"))
    for way in ("INIMAGE", "BLANK"):
        image = drawn(ask(site, MAP, layers="NonExistent", exceptions=way, bgcolor="0xFF0000"))
        assert image.shape[1:] == (100, 100)
        if way == "BLANK":
            assert (image[:3] == np.array(RED)[:, None, None]).all()
            assert not drawn(ask(site, MAP, layers="NonExistent", exceptions=way, transparent="TRUE"))[3].any()


# ---------------------------------------------------------------- dimensions.xml, time.xml


def test_a_time_that_was_asked_for_is_drawn(site: Service) -> None:
    """time.xml asks its own layer; ours: a layer that declares a time shows the rows of that time and no other."""
    (layer,) = [one for one in layers(site) if texts(one, "w:Name") == ["spot"]]
    assert [one.get("name") for one in layer.iterfind("w:Dimension", NAMES)] == ["time"]
    everything, one, none = (
        (drawn(ask(site, MAP, layers="spot", transparent="TRUE", time=time))[3] > 0).sum()
        for time in ("2026-01-01/2026-12-31", "2026-03-15", "1999-01-01")
    )
    assert everything > one > none == 0
    refused(ask(site, MAP, layers="spot", time="tomorrow"))


# ---------------------------------------------------------------- getfeatureinfo.xml, queryable.xml


def queryable(site: Service) -> list[str]:
    return [
        name for layer in layers(site) if layer.get("queryable") in ("1", "true") for name in texts(layer, "w:Name")
    ]


def test_features_are_told_in_each_format(site: Service) -> None:
    """info_format: each-info_format; query-layers: each-queryable-layer, two-, three- and less-query_layers."""
    for info in formats(site, "GetFeatureInfo"):
        answer = ask(site, INFO, info_format=info)
        assert answer.status_code == 200
        assert media(answer) == info.partition(";")[0]
        assert "south" in answer.text
    info = formats(site, "GetFeatureInfo")[0]
    for layer in queryable(site):
        assert media(ask(site, INFO, layers=layer, query_layers=layer, info_format=info)) == info
    for names, asked in (("field,way", "field,way"), ("field,way,spot", "field,way,spot"), ("field,way", "field")):
        assert media(ask(site, INFO, layers=names, query_layers=asked, info_format=info)) == info


def test_features_of_the_pixel_and_no_other(site: Service) -> None:
    """Ours: the pixel of the north-west is in one field, that of the north-east in none."""
    for info in formats(site, "GetFeatureInfo"):
        north = ask(site, INFO, info_format=info, i=20, j=20).text
        assert "north" in north
        assert "south" not in north
        nothing = ask(site, INFO, info_format=info, i=80, j=20).text
        assert "north" not in nothing
        assert "south" not in nothing


@pytest.mark.parametrize("exceptions", [None, "XML"])
def test_exceptions_of_features_are_xml(site: Service, exceptions: str | None) -> None:
    """exceptions: exceptions-default and exceptions-xml."""
    info = formats(site, "GetFeatureInfo")[0]
    bad = {"layers": "UndefinedLayer", "query_layers": "UndefinedLayer", "info_format": info, "exceptions": exceptions}
    refused(ask(site, INFO, **bad), "LayerNotDefined")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"info_format": "InvalidFormat"}, "InvalidFormat"),
        ({"i": 100}, "InvalidPoint"),
        ({"i": -1}, "InvalidPoint"),
        ({"j": 100}, "InvalidPoint"),
        ({"j": "x"}, "InvalidPoint"),
        ({"query_layers": "Undefined"}, "LayerNotDefined"),
        ({"query_layers": HIDDEN, "layers": HIDDEN}, "LayerNotDefined"),
    ],
)
def test_wrong_questions_are_refused(site: Service, changes: dict[str, object], code: str) -> None:
    """info_format: invalid-info_format; i-and-j: invalid-i and invalid-j; query-layers: invalid-query_layers."""
    refused(ask(site, INFO, **{"info_format": formats(site, "GetFeatureInfo")[0], **changes}), code)


def test_a_layer_without_features_is_not_asked(site: Service) -> None:
    """query-layers: query_layers-not-queryable."""
    info = formats(site, "GetFeatureInfo")[0]
    for layer in {name for one in layers(site) for name in texts(one, "w:Name")} - set(queryable(site)):
        refused(ask(site, INFO, layers=layer, query_layers=layer, info_format=info), "LayerNotQueryable")


def test_more_features_are_told_when_more_are_asked_for(site: Service) -> None:
    """queryable.xml, feature_count: feature_count-default and feature_count-1."""
    for info in formats(site, "GetFeatureInfo"):
        # One pixel for everything: all points lie in it.
        asked = {"layers": "spot", "query_layers": "spot", "width": 1, "height": 1, "i": 0, "j": 0, "info_format": info}
        texts_of = (ask(site, INFO, **asked, feature_count=count).text for count in (None, 1, 2))
        # The word that lets scripts of a page run is another each time.
        default, one, two = (re.sub(r'nonce="[^"]*"', "", told) for told in texts_of)
        assert default == one
        assert len(one) < len(two)
