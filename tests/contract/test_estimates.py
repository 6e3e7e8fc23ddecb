"""About how many features there are: near the truth, and nothing of what the asker may not see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import shapely

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.features.sample import Sample
from layers.access import Clearance
from layers.extent import Extent
from layers.model import VectorLayer
from tests.support.edits import Editor
from tests.support.loading import prepared, trial_catalog, trial_layer
from tests.support.service import Service, running

TOP = Clearance.RESTRICTED


@pytest.mark.parametrize("clearance", [None, *Clearance])
@pytest.mark.parametrize(
    "condition",
    [
        "bbox=105,38,105.1,38.1",
        "bbox=105.02,38.02,105.2,38.2",
        "bbox-crs=EPSG:4523&bbox=4200000,35500000,4240000,35520000",
        "datetime=2026-03-01/..",
        "filter=" + quote("amount > 8"),
        "filter=" + quote("amount > 2 AND S_INTERSECTS(geometry, POLYGON((105 38, 105.2 38, 105.2 38.2, 105 38)))"),
        "filter=" + quote("S_INTERSECTS(geometry, BBOX(105, 38, 105.05, 38.05)) OR amount > 8"),
        "bbox=105,38,105.1,38.1&filter=" + quote("amount > 2"),
    ],
)
def test_small_layers_are_counted_among_what_is_seen(
    service: Service, clearance: Clearance | None, condition: str
) -> None:
    """A sample holds a small layer whole, so that its estimate is the number of what this asker sees."""
    path = "/collections/spot/items"
    truth = service.get(f"{path}?limit=100&{condition}", clearance).json()["numberMatched"]
    page = service.get(f"{path}?limit=1&{condition}", clearance).json()
    assert "numberMatched" not in page
    if truth >= 5:
        assert page["numberMatchedEstimate"] == truth
    else:
        assert "numberMatchedEstimate" not in page


def test_what_is_known_is_not_estimated(service: Service) -> None:
    for query in ("limit=2", "limit=100&bbox=105,38,105.1,38.1", "limit=100"):
        page = service.get(f"/collections/spot/items?{query}", TOP).json()
        assert "numberMatched" in page
        assert "numberMatchedEstimate" not in page


def test_estimates_do_not_change_while_nothing_else_does(service: Service) -> None:
    path = "/collections/spot/items?limit=2&bbox=105,38,105.1,38.1"
    assert service.get(path).headers["etag"] == service.get(path).headers["etag"]


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        (Extent(0, 0, 1, 1), 2),
        (Extent(1, 1, 2, 2), 2),
        (Extent(170, -10, -170, 10), 1),
        (Extent(-180, -90, 180, 90), 3),
        (Extent(50, 50, 51, 51), 0),
    ],
)
def test_boxes_meet(extent: Extent, expected: int) -> None:
    nowhere = [np.nan] * 4
    boxes = np.array([[0, 0, 1, 1], [1, 1, 3, 3], [175, 0, 176, 1], nowhere])
    sample = Sample(0.0, (1, 2, 3, 4), boxes)
    assert sample.meeting(extent, placeless=False) == expected
    assert sample.meeting(extent, placeless=True) == expected + 1


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> Iterator[Service]:
    """Five thousand points, three in ten of them restricted: more than a sample holds."""
    layer = trial_layer("crowd")
    catalog = trial_catalog(layer)
    prepared(module_database, catalog)
    assert isinstance(layer, VectorLayer)
    base: dict[str, Any] = {"name": "n", "secret": None, "seen": None}
    places = np.random.default_rng(7).uniform(0, 1, (5000, 2))
    rows = [
        {
            **base,
            "code": f"c{i}",
            "amount": float(i % 10),
            "level": "restricted" if i % 10 < 3 else None,
            "geometry": shapely.Point(*place),
        }
        for i, place in enumerate(places)
    ]
    Editor(module_database, layer).bring_to(rows)
    with module_database.psycopg(Role.OWNER, autocommit=True) as connection:
        for rank in Clearance:
            number = 5000 if rank is TOP else 3500
            connection.execute(
                "INSERT INTO meta.layer_figures (layer, clearance, rows) VALUES ('crowd', %s, %s) "
                "ON CONFLICT (layer, clearance) DO UPDATE SET rows = excluded.rows",
                (int(rank), number),
            )
    with running(module_database, catalog) as made:
        yield made


@pytest.mark.parametrize(("clearance", "number"), [(None, 3500), (TOP, 5000)])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_sample_of_many_is_near(crowd: Service, clearance: Clearance | None, number: int, share: float) -> None:
    """Uniform points: the share of the area is the share of the points; four standard deviations are allowed."""
    page = crowd.get(f"/collections/crowd/items?limit=1&bbox=0,0,1,{share}", clearance).json()
    sample = 2000 * number / 5000
    assert abs(page["numberMatchedEstimate"] / number - share) < 4 * (share * (1 - share) / sample) ** 0.5 + 0.02
    text = quote(f"amount >= {10 - 10 * share:.0f}")
    page = crowd.get(f"/collections/crowd/items?limit=1&filter={text}", clearance).json()
    truth = sum(i % 10 >= 3 or clearance is TOP for i in range(5000) if i % 10 >= round(10 - 10 * share))
    assert page["numberMatchedEstimate"] == pytest.approx(truth, rel=0.25)
