"""Filters on vector tiles: exact rows from the zoom level that the layer declares, for every reader."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import mapbox_vector_tile
import morecantile
import pytest

from geoservice.ladder import renew
from geoservice.settings import Settings
from layers.access import Clearance
from layers.model import VectorLayer
from tests.support.database import copied_database
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.patches import mesh
from tests.support.service import Service, plain_bytes, running

GRID = morecantile.tms.get("WebMercatorQuad")
READERS = [None, Clearance.INTERNAL, Clearance.RESTRICTED]
ROWS = mesh(6, 6, 3)
KINDS = sorted({row["kind"] for row in ROWS if row["kind"] is not None})


def layer() -> VectorLayer:
    made = trial_layer(
        "plot",
        geometry="polygon",
        coverage=True,
        style={"fill": {"by": "kind", "colours": {"0101": "#336699"}}},
        attributes={
            "code": {"type": "text", "required": True},
            "kind": {"type": "text"},
            "level": {"type": "code", "list": "clearance@1"},
            "secret": {"type": "text", "clearance": "restricted"},
            "seen": {"type": "date"},
        },
        tiles={"from": 5, "to": 14, "exact": 11, "attributes": ["kind"]},
    )
    assert isinstance(made, VectorLayer)
    return made


def rows() -> list[dict[str, object]]:
    levels = ("public", "internal", "restricted")
    return [{**row, "level": levels[n % 3], "secret": f"s{n % 2}", "seen": "2026-01-15"} for n, row in enumerate(ROWS)]


@pytest.fixture(scope="module")
def plots(cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    catalog = trial_catalog(layer())
    with copied_database(cluster_settings) as database:
        file = write_rows(tmp_path_factory.mktemp("plots") / "plot.gpkg", rows())
        load_file(catalog, prepared(database, catalog), "plot", file)
        assert renew(database, layer()) is not None
        with running(database, catalog) as found:
            yield found


def tiles(zoom: int) -> list[morecantile.Tile]:
    west, south, east, north = (
        f(b) for f, b in zip((min, min, max, max), zip(*(r["geometry"].bounds for r in ROWS), strict=True), strict=True)
    )
    return list(GRID.tiles(west, south, east, north, zooms=[zoom]))


def shown(service: Service, query: str, reader: Clearance | None, zoom: int = 12) -> set[str]:
    """Keys of all features in the tiles of a zoom level."""
    found: set[str] = set()
    for tile in tiles(zoom):
        response = service.get(f"/collections/plot/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?{query}", reader)
        assert response.status_code in (200, 204), response.text
        if response.status_code == 200:
            drawn = mapbox_vector_tile.decode(plain_bytes(response))["plot"]["features"]
            found |= {feature["properties"]["key"] for feature in drawn}
    return found


def visible(reader: Clearance | None) -> list[dict[str, object]]:
    most = Clearance.PUBLIC if reader is None else reader
    return [row for row in rows() if Clearance.parse(str(row["level"])) <= most]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("zoom", [11, 12, 14])
def test_tiles_show_the_rows_that_meet_the_filter(plots: Service, reader: Clearance | None, zoom: int) -> None:
    kind = KINDS[0]
    expected = {str(row["code"]) for row in visible(reader) if row["kind"] == kind}
    everything = {str(row["code"]) for row in visible(reader)}
    assert set() < expected < everything
    assert shown(plots, "", reader, zoom) == everything
    assert shown(plots, f"filter={quote(f'kind = {kind!r}')}", reader, zoom) == expected
    # A kept tile of the plain question must not answer the filtered one, nor the other way round.
    assert shown(plots, "", reader, zoom) == everything


def test_filters_of_one_shape_have_their_own_answers(plots: Service) -> None:
    assert len(KINDS) > 1
    for kind in KINDS:
        expected = {str(row["code"]) for row in visible(None) if row["kind"] == kind}
        assert shown(plots, f"filter={quote(f'kind = {kind!r}')}", None) == expected
    one, two = KINDS[:2]
    listed = quote(f"kind IN ('{one}', '{two}')")
    assert shown(plots, f"filter={listed}", None) == {str(r["code"]) for r in visible(None) if r["kind"] in (one, two)}


def test_below_the_exact_level_the_filter_is_refused(plots: Service) -> None:
    tile = tiles(10)[0]
    response = plots.get(f"/collections/plot/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?filter=TRUE")
    assert (response.status_code, response.json()["parameter"], response.json()["minimum"]) == (400, "filter", 11)


def test_json_crs_and_past_go_with_it(plots: Service) -> None:
    west, south, east, north = ROWS[0]["geometry"].bounds
    inside = quote(f"S_WITHIN(geometry, BBOX({south - 1e-6!r}, {west - 1e-6!r}, {north + 1e-6!r}, {east + 1e-6!r}))")
    assert shown(plots, f"filter={inside}&filter-crs=EPSG:4490", None) == {str(ROWS[0]["code"])}
    tree = quote('{"op":"isNull","args":[{"property":"kind"}]}')
    assert shown(plots, f"filter={tree}&filter-lang=cql2-json", None) == {
        str(r["code"]) for r in visible(None) if r["kind"] is None
    }
    assert shown(plots, "filter=TRUE&edition=1", None) == {str(row["code"]) for row in visible(None)}
    assert shown(plots, "filter=TRUE&datetime=2025-01-01/2025-12-31", None) == set()


@pytest.mark.parametrize(
    "query",
    [
        "filter=nonsense%20%3D%201",
        "filter=secret%20%3D%20's1'",
        "filter=(",
        "filter=TRUE&filter-lang=sql",
        "filter=TRUE&between=1/1",
    ],
)
def test_what_cannot_be_asked_is_refused(plots: Service, query: str) -> None:
    tile = tiles(12)[0]
    response = plots.get(f"/collections/plot/tiles/WebMercatorQuad/{tile.z}/{tile.y}/{tile.x}?{query}")
    assert response.status_code == 400, response.text


def test_a_hidden_attribute_filters_for_those_who_see_it_only(plots: Service) -> None:
    expected = {str(row["code"]) for row in rows()[1::2]}
    assert shown(plots, "filter=secret%20%3D%20's1'", Clearance.RESTRICTED) == expected
