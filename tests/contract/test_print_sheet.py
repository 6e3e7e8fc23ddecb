"""Maps on paper: their scale on the page, what is said on them, who sees what, and what is refused."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pypdf
import pyproj
import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.maps.encode import decoded
from geoservice.settings import Settings
from layers.access import Clearance
from tests.contract.test_statistics import DIVISION
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running
from tests.support.site import HIDDEN, SOUTH, WEST, running_site

GEOD = pyproj.Geod(ellps="GRS80")
MILLIMETRES, INCH = 1000.0, 25.4
MIDDLE = [WEST + 0.1, SOUTH + 0.1]
PLAN = {"center": MIDDLE, "scale": 100_000, "layers": ["spot"], "lang": "en"}


@pytest.fixture(scope="module")
def site(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_site(cluster_settings, tmp_path_factory.mktemp("printed")) as found:
        yield found


def ask(site: Service, form: str = "json", clearance: Clearance | None = None, **changes: Any) -> Any:
    body = {name: value for name, value in {**PLAN, **changes}.items() if value is not None}
    headers = {} if clearance is None else {"X-API-Key": site.keys[clearance]}
    return site.client.post(f"/maps/sheet?f={form}", json=body, headers=headers)


def plan(site: Service, **changes: Any) -> Any:
    response = ask(site, **changes)
    assert response.status_code == 200, response.text
    return response.json()


def pages(response: Any) -> pypdf.PdfReader:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/pdf"
    return pypdf.PdfReader(io.BytesIO(response.content))


class Told(str):
    """What a page says. Spaces of small letters are gaps in a PDF file, which readers guess: they count for nothing."""

    def __new__(cls, text: str) -> Told:
        return super().__new__(cls, re.sub(r"\s+", "", text))

    def __contains__(self, part: object) -> bool:
        return super().__contains__(re.sub(r"\s+", "", str(part)))


def words(response: Any) -> Told:
    return Told(pages(response).pages[0].extract_text())


def picture_in(reader: pypdf.PdfReader) -> tuple[np.ndarray, tuple[float, float]]:
    """The map of a page as pixels, and how wide and high it is drawn on the paper (mm)."""
    page = reader.pages[0]
    found = max(page.images, key=lambda one: len(one.data))
    placed: list[tuple[float, float]] = []

    def visit(operator: bytes, _: Any, matrix: Any, __: Any) -> None:
        if operator == b"Do":
            placed.append((abs(matrix[0]) / 72 * INCH, abs(matrix[3]) / 72 * INCH))

    page.extract_text(visitor_operand_before=visit)
    assert placed, "no picture is drawn on the page"
    pixels = np.asarray(found.image.convert("RGB")).transpose(2, 0, 1)
    return pixels, max(placed)


def discs(pixels: np.ndarray, size: tuple[float, float]) -> list[tuple[float, float]]:
    """The middles of red marks in millimetres from the upper left corner of the map."""
    red = (pixels[0] > 225) & (pixels[1] < 25) & (pixels[2] < 25)
    columns = np.flatnonzero(red.any(axis=0))
    parts = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    found = []
    for part in parts:
        rows, across = np.nonzero(red[:, part[0] : part[-1] + 1])
        found.append(
            (
                (part[0] + across.mean() + 0.5) / pixels.shape[2] * size[0],
                (rows.mean() + 0.5) / pixels.shape[1] * size[1],
            )
        )
    return found


def red_marks(*places: tuple[float, float]) -> dict[str, Any]:
    features = [
        {"type": "Feature", "properties": {"colour": "#ff0000"}, "geometry": {"type": "Point", "coordinates": place}}
        for place in places
    ]
    return {"type": "FeatureCollection", "features": features}


@pytest.mark.parametrize(
    ("crs", "centre", "scale"),
    [
        ("EPSG:3857", (105.1, 38.1), 50_000),
        ("EPSG:3857", (105.1, 60.0), 250_000),
        ("EPSG:4490", (105.1, 38.1), 50_000),
        ("EPSG:4507", (102.2, 38.1), 200_000),
        (None, (105.1, 38.1), 5_000),
    ],
)
def test_distances_on_the_page_are_those_on_the_ground(
    site: Service, crs: str | None, centre: tuple[float, float], scale: int
) -> None:
    # Marks some 10 cm apart: one pair lies across the page, one along it.
    west, north, south, east = (GEOD.fwd(*centre, azimuth, 0.05 * scale)[:2] for azimuth in (270, 350, 170, 90))
    marks = red_marks(west, north, south, east)
    body = {"center": list(centre), "scale": scale, "crs": crs, "layers": [], "grid": "none", "dpi": 150}
    found = discs(*picture_in(pages(ask(site, "pdf", **body, overlays=marks))))
    assert len(found) == 4
    for one, other, ends in ((0, 3, (west, east)), (1, 2, (north, south))):
        on_paper = np.hypot(found[one][0] - found[other][0], found[one][1] - found[other][1])
        on_ground = GEOD.inv(*ends[0], *ends[1])[2]
        assert on_paper == pytest.approx(on_ground / scale * MILLIMETRES, rel=0.004)


def test_a_false_scale_would_be_noticed(site: Service) -> None:
    east, west = GEOD.fwd(*MIDDLE, 90, 5000)[:2], GEOD.fwd(*MIDDLE, 270, 5000)[:2]
    reader = pages(ask(site, "pdf", layers=[], scale=99_000, dpi=150, overlays=red_marks(west, east)))
    found = discs(*picture_in(reader))
    assert abs(found[1][0] - found[0][0]) != pytest.approx(100.0, rel=0.005)


@pytest.mark.parametrize(("paper", "orientation"), [("A5", "portrait"), ("A4", "landscape"), ("A3", "portrait")])
def test_papers_have_their_sizes(site: Service, paper: str, orientation: str) -> None:
    # ISO 216
    short, long = {"A5": (148, 210), "A4": (210, 297), "A3": (297, 420)}[paper]
    box = pages(ask(site, "pdf", paper=paper, orientation=orientation, dpi=72)).pages[0].mediabox
    size = float(box.width) / 72 * INCH, float(box.height) / 72 * INCH
    assert size == pytest.approx((long, short) if orientation == "landscape" else (short, long), abs=0.2)


def test_a_picture_shows_the_same_paper(site: Service) -> None:
    response = ask(site, "png", dpi=96, title="Spots")
    assert response.headers["content-type"] == "image/png"
    pixels = decoded(response.content)
    assert pixels.shape[1:] == (794, 1123)
    # Around the frame there is paper.
    assert (pixels[:3, 3, :] == 255).all()


def test_the_frame_on_the_ground_is_as_large_as_its_scale_says(site: Service) -> None:
    told = plan(site)
    ring = told["outline"]["coordinates"][0]
    corners = [ring[n] for n in (0, 8, 16, 24)]
    wide, high = (told["frame_mm"][n] / MILLIMETRES * 100_000 for n in (2, 3))
    middle = GEOD.inv(*np.mean(corners[:1] + corners[3:], axis=0), *np.mean(corners[1:3], axis=0))[2]
    assert middle == pytest.approx(wide, rel=0.003)
    assert GEOD.inv(*ring[4], *ring[20])[2] == pytest.approx(high, rel=0.003)
    assert told["center"] == pytest.approx(MIDDLE, abs=1e-6)


def test_a_box_is_shown_whole_at_a_round_scale(site: Service) -> None:
    told = plan(site, center=None, scale=None, bbox=[WEST, SOUTH, WEST + 0.2, SOUTH + 0.2])
    ring = np.array(told["outline"]["coordinates"][0])
    assert ring[:, 0].min() < WEST
    assert ring[:, 1].max() > SOUTH + 0.2
    # 0.2 degrees of latitude are 22.2 km, and the map on A4 is 164 mm high.
    assert told["scale"] == 150_000


def test_the_usual_crs_is_the_zone_of_the_national_series(site: Service) -> None:
    def crs(**changes: Any) -> str:
        return str(plan(site, layers=[], **changes)["crs"])

    # GB/T 13989: 3-degree zones up to 1:10,000, 6-degree zones beyond; 105 degrees is the meridian of zones 35 and 18.
    assert crs(center=[105, 38], scale=10_000) == "EPSG:4523"
    assert crs(center=[105, 38], scale=50_000) == "EPSG:4496"
    assert crs(center=[105, 38], scale=2_000_000) == "EPSG:3857"
    assert crs(center=[7, 48], scale=10_000) == "EPSG:3857"


def test_convergence_is_that_of_proj(site: Service) -> None:
    told = plan(site, center=[104.0, 38.1], crs="EPSG:4496")
    factors = pyproj.Proj("EPSG:4496").get_factors(104.0, 38.1)
    assert told["convergence"] == pytest.approx(factors.meridian_convergence, abs=1e-3)
    assert told["convergence"] < -0.5
    assert "Grid convergence" in words(ask(site, "pdf", center=[104.0, 38.1], crs="EPSG:4496", dpi=72))


def test_a_page_says_what_has_to_be_known(site: Service) -> None:
    asked = {"title": "Spots of <i>today</i>", "subtitle": "A trial", "remark": "Not for navigation", "dpi": 72}
    told = words(ask(site, "pdf", layers=["field", "spot"], **asked))
    for part in (
        "Spots of <i>today</i>",
        "A trial",
        "Not for navigation",
        "1 : 100 000",
        "Legend",
        "EPSG:4496",
        "edition",
    ):
        assert part in told, part
    assert "No map review number" in told
    both = words(ask(site, "pdf", lang="both", dpi=72))
    assert "图例 Legend" in both
    assert "Legend" not in words(ask(site, "pdf", legend=False, dpi=72))
    assert "EXERCISE" in words(ask(site, "pdf", exercise=True, dpi=72))


def test_the_legend_names_what_is_in_view(site: Service) -> None:
    def legend(**changes: Any) -> str:
        told = words(ask(site, "pdf", layers=["field", "spot", "way"], dpi=72, **changes))
        return told[told.index("Legend") :]

    everything = legend(scale=250_000)
    assert "way" in everything.lower() or "Trial" in everything
    # North-east of everything there is nothing, and the legend is empty.
    away = words(ask(site, "pdf", layers=["field", "spot"], center=[WEST + 3, SOUTH + 1], dpi=72))
    assert "Sources" not in away


def test_filters_and_past_are_told_and_kept(site: Service) -> None:
    one = {"id": "spot", "filter": "code = 's3'", "opacity": 0.5}
    told = words(ask(site, "pdf", layers=[one], scale=50_000, dpi=72))
    assert "only features that meet code = 's3'" in told
    past = ask(site, layers=[{"id": "spot", "as_of": "2999-01-01T00:00:00Z"}], scale=50_000)
    assert past.status_code == 400
    # A whole map of the past has rasters too; before anything was loaded it is empty.
    then = [{"id": name, "as_of": "2020-01-01T00:00:00Z"} for name in ("relief", "spot")]
    before, now = (
        words(ask(site, "pdf", layers=then, dpi=72)),
        words(ask(site, "pdf", layers=["relief", "spot"], dpi=72)),
    )
    assert "as of 2020-01-01T00:00:00Z" in before
    assert "Sources" not in before
    assert "Sources" in now


READERS = (None, Clearance.RESTRICTED)
SMALL = {"scale": 50_000_000, "crs": "EPSG:3857", "legend": False, "grid": "none", "dpi": 72}


def test_few_features_are_printed_at_any_scale(site: Service) -> None:
    def green(**changes: Any) -> int:
        pixels = decoded(ask(site, "png", **{**SMALL, "layers": [{"id": "field", **changes}]}).content)
        return int(((pixels[1] > 100) & (pixels[0] < 90) & (pixels[2] < 130)).sum())

    # 11 km on a side are 0.2 mm at this scale: a mark of some pixels, in the colour of the layer.
    assert 2 <= green(filter="code = 'south'") <= 40
    assert green(filter="code = 'nothing'") == 0
    told = plan(site, **{**SMALL, "layers": [{"id": "field", "filter": "code = 'south'"}]})
    assert (told["layers"], told["left_out"]) == (["field"], [])
    paper = words(ask(site, "pdf", **{**SMALL, "layers": [{"id": "field", "filter": "code = 'south'"}]}))
    assert "only features that meet code = 'south'" in paper
    assert "too small for this scale are small squares" in paper


def test_many_features_are_left_out_and_the_paper_says_so(site: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoservice.prints.layers.FEW", 3)
    monkeypatch.setattr("geoservice.prints.make.FEW", 3)
    monkeypatch.setattr("geoservice.prints.facts.FEW", 3)
    # Of twelve spots s0 to s11 four have an amount above 7.5, three one above 8.5 (9, 10, 11).
    four, three = ({"id": "spot", "filter": f"amount > {n}"} for n in (7.5, 8.5))
    told = plan(site, **{**SMALL, "layers": ["field", four]})
    assert told["layers"] == ["field"]
    assert [(one["layer"], one["more_than"]) for one in told["left_out"]] == [("spot", 3)]
    assert plan(site, **{**SMALL, "layers": [three]})["left_out"] == []
    paper = words(ask(site, "pdf", **{**SMALL, "layers": ["field", four]}))
    assert "is not drawn: more than 3 of its features" in paper
    assert "only features that meet" not in paper
    # From the scale that is told on it is drawn, whatever the number.
    scale = told["left_out"][0]["scale"]
    assert plan(site, **{**SMALL, "scale": scale, "layers": [four]})["left_out"] == []
    assert plan(site, **{**SMALL, "scale": scale * 3, "layers": [four]})["left_out"] != []


def test_few_features_are_counted_as_the_reader_sees_them(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    public, all_of_them = (
        len(service.get("/collections/spot/items?limit=1000", who).json()["features"]) for who in READERS
    )
    assert public < all_of_them
    monkeypatch.setattr("geoservice.prints.layers.FEW", public)
    asked = {**SMALL, "center": [105.07, 38.07], "layers": [{"id": "spot", "filter": "code IS NOT NULL"}]}
    assert ask(service, **asked).json()["left_out"] == []
    assert len(ask(service, "json", Clearance.RESTRICTED, **asked).json()["left_out"]) == 1


COLOURED = {
    "collection": "spot",
    "level": "county",
    "title": "Spots per county",
    "classes": [{"colour": "#00ff00", "label": "1 - 4"}, {"colour": "#0000ff", "label": "5 - 9"}],
    "places": {"990101": 1},
}
WEST_HALF, EAST_HALF = (WEST + 0.05, SOUTH + 0.1), (WEST + 0.15, SOUTH + 0.1)


@pytest.fixture(scope="module")
def counties(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Three counties beside one another around the middle; the third is internal. Spots in the first."""
    folder = tmp_path_factory.mktemp("coloured")
    hidden = trial_layer("way", clearance="internal")
    catalog = trial_catalog(trial_layer("division", **DIVISION), trial_layer("spot"), hidden)
    target = prepared(module_database, catalog)
    names = {"level": "county", "name_zh": "县", "parent": "9901"}
    places = ((1, WEST, "public"), (2, WEST + 0.1, "public"), (3, WEST + 0.2, "internal"))
    rows = [
        {
            **names,
            "adcode": f"99010{number}",
            "clearance": clearance,
            "geometry": shapely.box(west, SOUTH, west + 0.1, SOUTH + 0.2),
        }
        for number, west, clearance in places
    ]
    load_file(catalog, target, "division", write_rows(folder / "division.gpkg", rows))
    with running(module_database, catalog) as found:
        yield found


def colour_at(site: Service, place: tuple[float, float], **changes: Any) -> tuple[int, ...]:
    """The colour in the middle of a map, in the picture of the paper."""
    clearance = changes.pop("clearance", None)
    asked = {"center": list(place), "crs": "EPSG:3857", "layers": [], "grid": "none", "dpi": 72, **changes}
    reader = pages(ask(site, "pdf", clearance, **asked))
    pixels, _ = picture_in(reader)
    row, column = pixels.shape[1] // 2, pixels.shape[2] // 2
    middle = pixels[:, row - 8 : row + 9, column - 8 : column + 9]
    return tuple(np.median(middle.reshape(3, -1), axis=1).astype(int).tolist())


def test_a_map_of_statistics_is_coloured_and_has_its_legend(counties: Service) -> None:
    blue, pale = (colour_at(counties, at, coloured=COLOURED) for at in (WEST_HALF, EAST_HALF))
    assert blue[2] > 200 > max(blue[:2]), "the class that the request gives"
    assert max(pale) - min(pale) < 20, "a county without a figure is grey, in no colour of a class"
    assert colour_at(counties, WEST_HALF) != blue, "negative control: without colours the ground is seen"
    told = words(ask(counties, "pdf", center=MIDDLE, coloured=COLOURED, layers=[], dpi=72))
    for part in ("Spots per county", "1 - 4", "5 - 9", "No data", "Sources"):
        assert part in told, part
    whole = {**COLOURED, "places": {"990101": 1, "990102": 0}}
    assert "No data" not in words(ask(counties, "pdf", center=MIDDLE, coloured=whole, layers=[], dpi=72))
    past = {**COLOURED, "filter": "amount > 3", "as_of": "2026-01-01T00:00:00Z"}
    told = words(ask(counties, "pdf", center=MIDDLE, coloured=past, layers=[], dpi=72))
    assert "only features that meet amount > 3" in told
    assert "as of 2026-01-01T00:00:00Z" in told
    assert "No data" not in words(ask(counties, "pdf", center=MIDDLE, coloured=past, layers=[], legend=False, dpi=72))


def test_nobody_prints_divisions_that_they_may_not_see(counties: Service) -> None:
    beyond, wish = (WEST + 0.25, SOUTH + 0.1), {**COLOURED, "places": {"990103": 1}}
    assert colour_at(counties, beyond, coloured=wish) == colour_at(counties, beyond)
    assert colour_at(counties, beyond, coloured=wish, clearance=Clearance.INTERNAL)[2] > 200
    hidden, missing = (ask(counties, coloured={**COLOURED, "collection": name}) for name in ("way", "yaw"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace("way", "yaw") == missing.json()["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"level": "village"},
        {"classes": []},
        {"classes": [{"colour": "red", "label": "x"}]},
        {"places": {"990101": 2}},
        {"places": {"990101": -1}},
        {"within": "99; DROP"},
        {"title": ""},
        {"colour": "#ffffff"},
    ],
    ids=str,
)
def test_a_wrong_map_of_statistics_is_refused_in_words(counties: Service, changes: dict[str, Any]) -> None:
    refused = ask(counties, coloured={**COLOURED, **changes})
    assert refused.status_code in (400, 422), refused.text
    assert refused.json()["detail"]


def test_who_may_not_see_a_layer_prints_none(site: Service) -> None:
    hidden, missing = ask(site, layers=[HIDDEN]), ask(site, layers=["nothing"])
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace(HIDDEN, "") == missing.json()["detail"].replace("nothing", "")
    seen = ask(site, "pdf", Clearance.RESTRICTED, layers=[HIDDEN], dpi=72)
    assert "clearance: restricted" in words(seen)


def test_rows_above_the_reader_are_not_in_the_picture(service: Service) -> None:
    # Two of three spots are above the public; what is printed must differ, and for the public be the same as without.
    asked = {"center": [105.07, 38.07], "scale": 100_000, "layers": ["spot"], "legend": False, "dpi": 72}
    public = decoded(ask(service, "png", **asked).content)
    restricted = decoded(ask(service, "png", Clearance.RESTRICTED, **asked).content)
    assert (public[:, 80:500, 60:700] != restricted[:, 80:500, 60:700]).any()


def test_large_papers_lower_their_resolution(site: Service) -> None:
    assert plan(site)["dpi"]["pdf"] == 192
    assert plan(site, dpi=300)["dpi"]["pdf"] == 300
    assert plan(site, paper="A0")["dpi"]["pdf"] < 150
    refused = ask(site, "pdf", paper="A0", dpi=300)
    assert refused.status_code == 413
    assert "dpi" in refused.json()["detail"]


SQUARE = {"type": "Polygon", "coordinates": [[[105, 38], [105.1, 38], [105.1, 38.1], [105, 38]]]}


def feature(**changes: Any) -> dict[str, Any]:
    one = {"type": "Feature", "properties": {}, "geometry": SQUARE, **changes}
    return {"type": "FeatureCollection", "features": [one]}


@pytest.mark.parametrize(
    "changes",
    [
        {"center": None},
        {"scale": None},
        {"scale": 99},
        {"scale": 1e12},
        {"bbox": [105, 38, 106, 39]},
        {"center": [105, 89]},
        {"center": [181, 38]},
        {"center": [float("1e400"), 38]},
        {"center": None, "scale": None, "bbox": [170, 38, -170, 39]},
        {"center": None, "scale": None, "bbox": [105, 38, 105, 38]},
        {"paper": "B5"},
        {"crs": "EPSG:2327"},
        {"crs": "EPSG:4496", "center": [-75, 38]},
        {"crs": "EPSG:3857", "grid": "metres"},
        {"layers": ["spot", "spot"]},
        {"layers": [{"id": "spot", "filter": "nothing = 1"}]},
        {"layers": [{"id": "spot", "colour": "red"}]},
        {"layers": [{"id": "relief", "filter": "a = 1"}]},
        {"layers": ["spot"] * 41},
        {"title": "x" * 161},
        {"dpi": 1200},
        {"colour": "red"},
        {"overlays": {"type": "Feature"}},
        {"overlays": feature(geometry={"type": "Polygon", "coordinates": "no"})},
        {"overlays": feature(geometry={"type": "Point", "coordinates": [500, 38]})},
        {"overlays": feature(geometry={"type": "GeometryCollection", "geometries": []})},
        {"overlays": feature(properties={"colour": "url(x)"})},
        {"overlays": feature(properties={"onclick": "x"})},
        {"overlays": feature(properties={"label": 5})},
        {"overlays": {"type": "FeatureCollection", "features": [feature()["features"][0]] * 201}},
    ],
)
def test_what_is_wrong_is_refused_in_words(site: Service, changes: dict[str, Any]) -> None:
    body = {name: value for name, value in {**PLAN, **changes}.items() if value is not None}
    # Python writes infinity, which JSON does not have: it must be refused too.
    response = site.client.post(
        "/maps/sheet?f=json", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 400, response.text
    assert response.json()["detail"]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "{{ 7 * 7 }}", "\u202etxt\x00\x1b", "字" * 160, "{n}"]
)
def test_hostile_words_stay_words(site: Service, hostile: str) -> None:
    marks = {"type": "FeatureCollection", "features": []}
    asked = {"title": hostile, "subtitle": hostile, "remark": hostile * 2, "overlays": marks, "dpi": 72}
    reader = pages(ask(site, "pdf", **asked))
    assert len(reader.pages) == 1
    text = reader.pages[0].extract_text()
    if "script" in hostile:
        assert hostile in text
    assert "\u202e" not in text
    assert ask(site, "png", **asked).status_code == 200


def test_drawn_shapes_of_all_kinds_are_printed(site: Service) -> None:
    line = {"type": "LineString", "coordinates": [[105.0, 38.0], [105.2, 38.2]]}
    shapes = [("#00aa00", SQUARE, False), ("#0000ff", line, True)]
    features = [
        {"type": "Feature", "properties": {"colour": c, "label": "A & B", "dashed": d}, "geometry": g}
        for c, g, d in shapes
    ]
    drawn = {"type": "FeatureCollection", "features": features}
    plain, marked = (decoded(ask(site, "png", dpi=72, overlays=o).content) for o in (None, drawn))
    blue = (marked[2] > 200) & (marked[0] < 60) & (marked[1] < 60)
    assert blue.sum() > 100
    assert (plain != marked).any()
