"""Bodies of `/maps/sheet` that mean harm or are nonsense: refused in words, or a right sheet; never a fault of ours."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pypdf
import pytest

from geoservice.settings import Settings
from tests.support.service import Service
from tests.support.site import SOUTH, WEST, running_site

JSON = {"Content-Type": "application/json"}
PLACE = f'"center": [{WEST + 0.1}, {SOUTH + 0.1}], "scale": 100000'
LONG = "x" * 100_000
BOMB = "NOT (" * 5_000 + "code = 's1'" + ")" * 5_000


@pytest.fixture(scope="module")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_site(cluster_settings, tmp_path_factory.mktemp("harm")) as found:
        yield found


def send(site: Service, body: str, form: str = "json") -> tuple[int, str]:
    """Status and text of the answer to a body that is written as it stands: clients would not write all of these."""
    response = site.client.post(f"/maps/sheet?f={form}", content=body.encode("utf-8", "surrogatepass"), headers=JSON)
    return response.status_code, response.text if "json" in response.headers["content-type"] else ""


def with_layer(layer: str) -> str:
    return f'{{{PLACE}, "layers": [{layer}]}}'


def with_place(place: str) -> str:
    return f'{{{place}, "layers": []}}'


def drawn_body(geometry: str, properties: str = "{}", more: str = "") -> str:
    feature = f'{{"type": "Feature", "properties": {properties}, "geometry": {geometry}}}'
    return f'{{{PLACE}, "overlays": {{"type": "FeatureCollection", "features": [{feature}]}}{more}}}'


def coloured(**changes: str) -> str:
    """A body with a map of statistics, in which some members are written as they stand."""
    members = {"collection": '"spot"', "level": '"county"', "title": '"a"', "places": "{}"}
    members |= {"classes": '[{"colour": "#0000ff", "label": "a"}]', **changes}
    return f'{{{PLACE}, "coloured": {{{", ".join(f"{json.dumps(one)}: {text}" for one, text in members.items())}}}}}'


REFUSED = {
    "figures of half a character": coloured(collection='"\\ud800"'),
    "figures of 100,000": coloured(collection=f'"{LONG}"'),
    "figures of nobody": coloured(collection='"nothing"'),
    "figures within half a character": coloured(within='"\\ud800"'),
    "figures within markup": coloured(within='"<b>"'),
    "figures of a past of nonsense": coloured(as_of='"yesterday"'),
    "figures of a past with NUL": coloured(as_of='"2026-01-01T00:00:00Z\\u0000"'),
    "figures filtered by half a character": coloured(filter='"\\ud800"'),
    "figures of a colour that is none": coloured(classes='[{"colour": "url(x)", "label": "a"}]'),
    "figures without classes": coloured(classes="[]"),
    "figures of a class that is none": coloured(places='{"99": 5}'),
    "figures of a class below nothing": coloured(places='{"99": -1}'),
    "figures of a class not a number": coloured(places='{"99": NaN}'),
    "title of 100,000": f'{{{PLACE}, "title": "{LONG}"}}',
    "subtitle of 100,000": f'{{{PLACE}, "subtitle": "{LONG}"}}',
    "remark of 100,000": f'{{{PLACE}, "remark": "{LONG}"}}',
    "title of half a character": f'{{{PLACE}, "title": "a\\ud800b"}}',
    "remark of half a character": f'{{{PLACE}, "remark": "\\udfff"}}',
    "label of half a character": drawn_body("null", '{"label": "\\ud800"}'),
    "title that is a list": f'{{{PLACE}, "title": ["a"]}}',
    "title that is null": f'{{{PLACE}, "title": null}}',
    "scale not a number": with_place('"center": [105, 38], "scale": NaN'),
    "scale infinite": with_place('"center": [105, 38], "scale": Infinity'),
    "scale of 1e400": with_place('"center": [105, 38], "scale": 1e400'),
    "scale of many digits": with_place(f'"center": [105, 38], "scale": {"9" * 400}'),
    "scale of 5,000 digits": with_place(f'"center": [105, 38], "scale": {"9" * 5000}'),
    "scale below nothing": with_place('"center": [105, 38], "scale": -50000'),
    "scale of nothing": with_place('"center": [105, 38], "scale": 0'),
    "scale as markup": with_place('"center": [105, 38], "scale": "<b>1</b>"'),
    "scale with a fraction": with_place('"center": [105, 38], "scale": 50000.5'),
    "scale true": with_place('"center": [105, 38], "scale": [true]'),
    "middle not a number": with_place('"center": [NaN, 38], "scale": 50000'),
    "middle at the pole": with_place('"center": [105, 90], "scale": 50000'),
    "middle at the south pole": with_place('"center": [105, -90], "scale": 50000'),
    "middle of three": with_place('"center": [105, 38, 0], "scale": 50000'),
    "box across 180": with_place('"bbox": [170, 38, -170, 39]'),
    "box beyond 180": with_place('"bbox": [170, 38, 190, 39]'),
    "box with a pole": with_place('"bbox": [100, 80, 110, 90]'),
    "box of six": with_place('"bbox": [105, 38, 0, 106, 39, 1]'),
    "box not a number": with_place('"bbox": [NaN, 38, 106, 39]'),
    "box upside down": with_place('"bbox": [105, 39, 106, 38]'),
    "box without height": with_place('"bbox": [105, 38, 106, 38]'),
    "box in a far zone": with_place('"bbox": [-80, 38, -79, 39], "crs": "EPSG:4496"'),
    "the world in a zone": with_place('"bbox": [-180, -85, 180, 85], "crs": "EPSG:4496"'),
    "a pole in a zone": with_place('"center": [105, 89.9999], "scale": 50000, "crs": "EPSG:4496"'),
    "crs with NUL": with_place('"center": [105, 38], "scale": 50000, "crs": "EPSG:4496\\u0000"'),
    "crs as a file": with_place('"center": [105, 38], "scale": 50000, "crs": "+proj=pipeline +step +proj=utm"'),
    "layer unknown": with_layer('"nothing"'),
    "layer with NUL": with_layer('"spot\\u0000"'),
    "layer half a character": with_layer('"\\ud800"'),
    "layer as markup": with_layer('"<script>alert(1)</script>"'),
    "layer as a path": with_layer('"../../etc/passwd"'),
    "layer a number": with_layer("5"),
    "layer a list": with_layer('["spot"]'),
    "layer without id": with_layer('{"filter": "code = \'s1\'"}'),
    "layer of 100,000": with_layer(f'"{LONG}"'),
    "layers a text": f'{{{PLACE}, "layers": "spot"}}',
    "opacity not a number": with_layer('{"id": "spot", "opacity": NaN}'),
    "opacity too much": with_layer('{"id": "spot", "opacity": 1e308}'),
    "filter of nothing": with_layer('{"id": "spot", "filter": ""}'),
    "filter of blanks": with_layer('{"id": "spot", "filter": "   "}'),
    "filter half written": with_layer('{"id": "spot", "filter": "code = \'"}'),
    "filter with NUL": with_layer('{"id": "spot", "filter": "code = \'a\\u0000b\'"}'),
    "filter half a character": with_layer('{"id": "spot", "filter": "code = \'\\ud800\'"}'),
    "filter by a hidden function": with_layer('{"id": "spot", "filter": "pg_read_file(\'x\') = \'a\'"}'),
    "filter by a system column": with_layer('{"id": "spot", "filter": "ctid = \'(0,1)\'"}'),
    "filter with a second statement": with_layer('{"id": "spot", "filter": "code = \'a\'; DROP TABLE x"}'),
    "filter that nests": with_layer(f'{{"id": "spot", "filter": "{BOMB[:19_000]}"}}'),
    "filter of 100,000": with_layer(f'{{"id": "spot", "filter": "{LONG}"}}'),
    "filter as CQL2 JSON": with_layer('{"id": "spot", "filter": {"op": "=", "args": [1, 1]}}'),
    "filter by another kind": with_layer('{"id": "spot", "filter": "amount LIKE \'a%\'"}'),
    "filter of a picture": with_layer('{"id": "relief", "filter": "code = 1"}'),
    "time of nonsense": with_layer('{"id": "spot", "datetime": "yesterday"}'),
    "time with NUL": with_layer('{"id": "spot", "datetime": "2026-01-01T00:00:00Z\\u0000"}'),
    "time far away": with_layer('{"id": "spot", "datetime": "99999-01-01T00:00:00Z"}'),
    "past of nonsense": with_layer('{"id": "spot", "as_of": "\\ud800"}'),
    "past of Arabic digits": with_layer('{"id": "spot", "as_of": "٢٠٢٦-٠١-٠١T00:00:00Z"}'),
    "past to come": with_layer('{"id": "spot", "as_of": "2999-01-01T00:00:00Z"}'),
    "grid unknown": f'{{{PLACE}, "grid": "<i>"}}',
    "drawn of nonsense": f'{{{PLACE}, "overlays": {{"type": "FeatureCollection", "features": [null]}}}}',
    "drawn not a number": drawn_body('{"type": "Point", "coordinates": [NaN, 38]}'),
    "drawn nested": drawn_body('{"type": "GeometryCollection", "geometries": [' + "[" * 900 + "]" * 900 + "]}"),
    "drawn of another kind": drawn_body('{"type": "Feature", "coordinates": [105, 38]}'),
    "no object": "[]",
    "null": "null",
    "nothing": "",
    "half an object": "{",
    "nested": "[" * 100_000,
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_nonsense_is_refused_in_words(site: Service, name: str) -> None:
    status, told = send(site, REFUSED[name])
    assert 400 <= status < 500, (status, told[:300])
    assert len(told) < 4_000
    assert site.client.get("/health/live").status_code == 200


# What has no value is unknown, and unknown does not pass; a number that no column holds is refused.
CALCULATED = {"amount / 0 > 1": 200, "amount ^ 9999 > 1": 200, "amount * 1e300 * 1e300 > 1": 400}


@pytest.mark.parametrize("scale", [50_000, 50_000_000])
@pytest.mark.parametrize("text", CALCULATED)
def test_what_filters_cannot_calculate_is_no_fault(site: Service, text: str, scale: int) -> None:
    layer = f'{{"id": "spot", "filter": "{text}"}}'
    body = f'{{"center": [105.1, 38.1], "scale": {scale}, "crs": "EPSG:3857", "layers": [{layer}], "dpi": 72}}'
    assert send(site, body, "png")[0] == CALCULATED[text]


PLACES = {
    "at 180": '"center": [180, 38], "scale": 50000',
    "at -180": '"center": [-180, -38], "scale": 50000000',
    "at 85": '"center": [105, 85], "scale": 1000000',
    "at -85": '"center": [105, -85], "scale": 100, "crs": "EPSG:4490"',
    "the world": '"bbox": [-180, -85, 180, 85]',
    "the world in degrees": '"bbox": [-180, -85, 180, 85], "crs": "EPSG:4490"',
    "a sliver": '"bbox": [105, 38, 105.0000000001, 38.0000000001]',
    "smallest scale": '"center": [105, 38], "scale": 250000000',
    "largest scale": '"center": [105, 38], "scale": 100',
}


@pytest.mark.parametrize("name", sorted(PLACES))
def test_places_at_the_rims_are_sheets(site: Service, name: str) -> None:
    body = f'{{{PLACES[name]}, "layers": ["spot", "field", "relief"], "dpi": 72}}'
    status, told = send(site, body)
    assert status in (200, 400), told
    if status == 200:
        assert send(site, body, "png")[0] == 200


MARKUP = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "=HYPERLINK(1)",
]
UNSEEN = [
    "a\\u0000b",
    "\\u202eevil\\u202c",
    "a\\u001b[31mb",
    "\\u2028x\\u2029",
    "\\ufeffx",
    "\\u200bx",
]


@pytest.mark.parametrize("hostile", [*MARKUP, *UNSEEN])
def test_words_of_others_stay_words(site: Service, hostile: str) -> None:
    words = "".join(f', "{name}": "{hostile}"' for name in ("title", "subtitle", "remark"))
    point = '{"type": "Point", "coordinates": [105.1, 38.1]}'
    body = drawn_body(point, f'{{"label": "{hostile}"}}', f'{words}, "layers": ["spot"], "dpi": 72')
    response = site.client.post("/maps/sheet?f=pdf", content=body, headers=JSON)
    assert response.status_code == 200, response.text
    page = pypdf.PdfReader(io.BytesIO(response.content))
    text = page.pages[0].extract_text()
    assert not re.search("[\\u0000-\\u0008\\u001b\\u200b\\u202a-\\u202e\\u2028\\u2029\\ud800-\\udfff]", text)
    assert "/Annots" not in page.pages[0]
    if hostile in MARKUP:
        assert re.sub(r"\s", "", hostile) in re.sub(r"\s", "", text)
