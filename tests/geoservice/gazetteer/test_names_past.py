"""Names as they were: features that were renamed, moved, closed, made or ended between two editions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.gazetteer.index import behind, renew
from layers.access import Clearance
from layers.system import edition
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running
from tests.support.zones import prepare

PLACE = trial_layer(
    "place",
    label={"zh": "name", "en": "name"},
    names={"class": "place", "aliases": ["secret"]},
    sources={"gpkg": {"match": ["*.gpkg"], "complete": True}},
)
CATALOG = trial_catalog(PLACE)
GEOD = pyproj.Geod(a=6378137.0, rf=298.257222101)
NEAR = (105.0, 38.0)
EDITIONS: tuple[dict[str, tuple[str, float, str]], ...] = (
    {
        "same": ("望江镇", 105.1, "public"),
        "renamed": ("石桥村", 105.2, "public"),
        "moved": ("柳林渡", 105.3, "public"),
        "gone": ("北山堡", 105.4, "public"),
        "hidden": ("北山哨", 105.5, "restricted"),
        "closed": ("北山口", 105.6, "public"),
    },
    {
        "same": ("望江镇", 105.1, "public"),
        "renamed": ("石桥新城", 105.2, "public"),
        "moved": ("柳林渡", 105.9, "public"),
        "closed": ("北山口", 105.6, "restricted"),
        "new": ("北山新区", 105.7, "public"),
    },
)
"""Name, longitude (the latitude is 38 degrees) and clearance of each feature, by edition."""
ALIAS = {"same": "Old Wharf"}


@dataclass(frozen=True)
class Named:
    """A service, and the instants of its two editions."""

    service: Service
    instants: tuple[dt.datetime, dt.datetime]

    def ask(self, q: str, which: int | None = None, who: Clearance | None = None, **query: Any) -> list[dict[str, Any]]:
        """Results of a search, of an edition or of now."""
        if which is not None:
            query["as-of"] = self.instants[which].isoformat()
        headers = {} if who is None else {"X-API-Key": self.service.keys[who]}
        answer = self.service.client.get("/gazetteer/names", params={"q": q, **query}, headers=headers)
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def found(self, q: str, which: int | None = None, who: Clearance | None = None) -> dict[str, str]:
        """Names by the key of the feature."""
        return {one["id"]: one["name"] for one in self.ask(q, which, who)}


@pytest.fixture(scope="module")
def named(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    folder = tmp_path_factory.mktemp("named")
    target = prepared(module_database, CATALOG)
    for rows in EDITIONS:
        made = [
            {"code": key, "name": name, "level": level, "secret": ALIAS.get(key), "geometry": shapely.Point(x, 38.0)}
            for key, (name, x, level) in rows.items()
        ]
        load_file(CATALOG, target, "place", write_rows(folder / "place.gpkg", made))
        for layer in behind(module_database, CATALOG):
            renew(module_database, layer)
    with module_database.transaction(Role.OWNER) as connection:
        first, second = connection.execute(sa.select(edition.c.committed).order_by(edition.c.id)).scalars()
    with running(module_database, CATALOG) as service:
        yield Named(service, (first, second))


def expected(q: str, which: int, most: str = "public") -> dict[str, str]:
    """Names of an edition that begin with a text, by the rows that were written.

    Whoever closes a feature closes its past, too: what is restricted in the second edition is hidden in both.
    """
    closed = {key for rows in EDITIONS for key, (_, _, level) in rows.items() if level == "restricted"}
    hidden = set() if most == "restricted" else closed
    return {key: name for key, (name, *_) in EDITIONS[which].items() if name.startswith(q) and key not in hidden}


@pytest.mark.parametrize("mode", ["policies", "views"])
def test_names_are_found_as_they_were(named: Named, mode: Any) -> None:
    prepare(named.service.database, CATALOG, mode)
    with running(named.service.database, CATALOG) as fresh:
        asked = Named(fresh, named.instants)
        for q in ("望江", "石桥", "柳林", "北山"):
            for who, most in ((None, "public"), (Clearance.RESTRICTED, "restricted")):
                for which in (0, 1):
                    assert asked.found(q, which, who) == expected(q, which, most), (q, which, most)
                # Nothing came after the second edition; and the two differ, or the test would show nothing.
                assert asked.found(q, None, who) == expected(q, 1, most)
    assert expected("北山", 0) != expected("北山", 1)
    prepare(named.service.database, CATALOG, "policies")
    with named.service.database.transaction(Role.OWNER) as connection:
        for schema in [one for one in sa.inspect(connection).get_schema_names() if one.startswith("read_")]:
            connection.execute(sa.schema.DropSchema(schema, cascade=True))


def test_pinyin_initials_and_parts_find_what_is_gone(named: Named) -> None:
    for q in ("beishanbao", "bsb", "山堡"):
        assert named.ask(q, 0)[0]["name"] == "北山堡", q
        assert "北山堡" not in named.found(q).values(), q


def test_an_alias_that_may_not_be_seen_finds_nothing_of_then(named: Named) -> None:
    assert named.found("Old Wharf", 0, Clearance.RESTRICTED) == {"same": "Old Wharf"}
    assert named.found("Old Wharf", 0) == {}


def test_a_place_lies_where_it_lay(named: Named) -> None:
    for which, x in ((0, 105.3), (1, 105.9), (None, 105.9)):
        (one,) = named.ask("柳林渡", which, near="105,38")
        assert one["point"] == pytest.approx([x, 38.0])
        assert one["distance"] == pytest.approx(GEOD.inv(*NEAR, x, 38.0)[2], abs=0.2)
        feature = named.service.client.get(one["href"]).json()
        assert feature["geometry"]["coordinates"] == pytest.approx([x, 38.0])


def test_before_anything_was_loaded_nothing_bore_a_name(named: Named) -> None:
    earlier = (named.instants[0] - dt.timedelta(days=1)).isoformat()
    answer = named.service.client.get("/gazetteer/names", params={"q": "北山", "as-of": earlier}).json()
    assert answer["results"] == []
    assert dt.datetime.fromisoformat(answer["asOf"]) == named.instants[0] - dt.timedelta(days=1)


@pytest.mark.parametrize("query", [{"as-of": "2999-01-01T00:00:00Z"}, {"as-of": "then"}, {"within": "11"}])
def test_what_cannot_be_asked_is_refused(named: Named, query: dict[str, str]) -> None:
    asked = {"q": "北山", "as-of": named.instants[0].isoformat(), **query}
    answer = named.service.client.get("/gazetteer/names", params=asked)
    assert answer.status_code == 400, answer.text
    assert "as-of" in answer.json()["detail"]
