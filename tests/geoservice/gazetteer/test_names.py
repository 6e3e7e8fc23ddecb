"""The search over HTTP: parameters, pages, places; the index after edits, against one that is built anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyproj
import pytest
import shapely
import sqlalchemy as sa

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.gazetteer.index import NameKeeper, behind, renew
from layers.catalog import Catalog
from layers.model import VectorLayer
from layers.system import layer_state, name_tables, term_tables
from tests.support.loading import LoadTarget, load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running


def ask(service: Service, status: int = 200, **query: Any) -> Any:
    """The answer to a search; `class_` stands for `class`."""
    wanted = {key.rstrip("_"): value for key, value in query.items()}
    answer = service.client.get("/gazetteer/names", params=wanted)
    assert answer.status_code == status, answer.text
    return answer.json()


def found(service: Service, **query: Any) -> list[str]:
    return [one["name"] for one in ask(service, **query)["results"]]


def test_classes(names: Service) -> None:
    assert found(names, q="北京", class_="school") == ["北京大学", "北京路小学"]
    assert set(found(names, q="幸福", class_="road")) == {"幸福路", "幸福大街"}
    assert "there are division, hospital, place, road, school" in ask(names, 400, q="x", class_="ship")["detail"]


def test_parts_of_a_road_are_one_result(names: Service) -> None:
    assert found(names, q="幸福路") == ["幸福路"]


def test_within_a_division(names: Service) -> None:
    assert found(names, q="朝阳", within="11") == ["朝阳区"]
    assert found(names, q="朝阳", within="211300") == ["朝阳市", "朝阳县"]
    assert found(names, q="c", within="510000")[:2] == ["Chengdu", "成都市"] or found(names, q="c", within="51")
    assert ask(names, 404, q="x", within="99")["detail"]
    assert ask(names, 400, q="x", within="9")["detail"]


def test_near_a_point(names: Service) -> None:
    north, west = ask(names, q="李家庄", near="116.1,37.1"), ask(names, q="lijia", near="105.1,35.1")
    assert [one["id"] for one in north["results"]] == ["p12", "p13"]
    assert [one["id"] for one in west["results"]] == ["p13", "p12"]
    distance = pyproj.Geod(ellps="GRS80").inv(116.1, 37.1, 116.0, 37.0)[2]
    assert north["results"][0]["distance"] == pytest.approx(distance, abs=0.1)
    assert ask(names, 400, q="x", near="1")["detail"]
    assert ask(names, 400, q="x", near="181,0")["detail"]


def test_pages(names: Service) -> None:
    whole = [one["href"] for one in ask(names, q="b", limit=50)["results"]]
    page, seen = ask(names, q="b", limit=4), []
    while True:
        seen += [one["href"] for one in page["results"]]
        following = [one["href"] for one in page["links"] if one["rel"] == "next"]
        if not following:
            break
        page = names.client.get(following[0]).json()
    assert seen == whole
    assert len(set(seen)) == len(seen) > 4


def test_scores_are_told(names: Service) -> None:
    (one, *_) = ask(names, q="重庆市", explain=True)["results"]
    told = one["explain"]
    assert told == {"match": "name", "exact": True, "quality": 1.0, "importance": 1.0, "nearness": None}
    assert one["score"] == 1.0
    near = ask(names, q="london", near="-0.12,51.5", explain=True)["results"][0]
    assert near["explain"]["nearness"] == 1.0
    scores = [r["score"] for r in ask(names, q="b", limit=50)["results"]]
    assert scores == sorted(scores, reverse=True)
    assert "explain" not in ask(names, q="重庆市")["results"][0]


def test_forms_of_the_answer(names: Service) -> None:
    collection = ask(names, q="london", f="geojson")
    assert collection["features"][0]["geometry"] == {"type": "Point", "coordinates": [-0.12, 51.5]}
    assert ask(names, q="北京市", class_="division", f="geojson")["features"][0]["geometry"] is None
    page = names.client.get("/gazetteer/names", params={"q": "<b>", "f": "html"})
    assert page.status_code == 200
    assert "<b>" not in page.text


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": " "}, {"q": "x" * 101}, {"q": "x", "limit": "0"}])
def test_bad_questions(names: Service, query: dict[str, str]) -> None:
    assert names.client.get("/gazetteer/names", params=query).status_code == 400


# ---------------------------------------------------------------- edits


def edited_catalog() -> Catalog:
    return trial_catalog(trial_layer("spot", label={"zh": "name", "en": "name"}, names={"class": "spot"}))


def spots(*told: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [
        {"code": code, "name": name, "level": level, "secret": None, "geometry": shapely.Point(105 + n / 100, 38)}
        for n, (code, name, level) in enumerate(told)
    ]


FIRST = spots(
    ("a", "石板沟", "public"), ("b", "柳树湾", "public"), ("c", "青杨坪", "public"), ("d", "白云山", "internal")
)
SECOND = spots(
    ("a", "石板沟", "restricted"), ("b", "柳树滩", "public"), ("d", "白云山", "internal"), ("e", "新河口", "public")
)


class Edited:
    """A layer whose source is delivered again and again, complete."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder, self.catalog = database, folder, edited_catalog()
        self.catalog = trial_catalog(
            trial_layer(
                "spot",
                label={"zh": "name", "en": "name"},
                names={"class": "spot"},
                sources={"gpkg": {"match": ["*.gpkg"], "complete": True}},
            )
        )
        self.target: LoadTarget = prepared(database, self.catalog)
        self.number = 0

    def deliver(self, rows: list[dict[str, Any]]) -> None:
        self.number += 1
        load_file(self.catalog, self.target, "spot", write_rows(self.folder / f"spot{self.number}.gpkg", rows))

    def index(self) -> None:
        for layer in behind(self.database, self.catalog):
            renew(self.database, layer)
        assert behind(self.database, self.catalog) == ()

    def content(self) -> list[Any]:
        """Everything in the index but the numbers of entries."""
        told: list[Any] = []
        with self.database.transaction(Role.OWNER) as connection:
            for names, terms in zip(name_tables, term_tables, strict=True):
                columns = (names.c.fid, names.c.edition, names.c.name, names.c.terms, names.c.sound)
                told.append(sorted(map(tuple, connection.execute(sa.select(*columns)))))
                joined = sa.select(names.c.fid, terms.c.term, terms.c.form).select_from(terms)
                joined = joined.outerjoin(names, names.c.id == terms.c.name)
                told.append(sorted(map(tuple, connection.execute(joined))))
        return told


@pytest.fixture
def edited(database: Database, tmp_path: Path) -> Edited:
    return Edited(database, tmp_path)


def test_after_edits_the_index_is_that_of_a_build(edited: Edited) -> None:
    edited.deliver(FIRST)
    edited.index()
    edited.deliver(SECOND)
    edited.index()
    refreshed = edited.content()
    with edited.database.transaction(Role.WRITER) as connection:
        connection.execute(sa.update(layer_state).values(naming="of another version"))
    edited.index()
    assert edited.content() == refreshed
    assert [len(part) for part in refreshed[::2]] == [2, 1, 1]


def test_what_was_removed_changed_or_closed_is_not_found(edited: Edited) -> None:
    with running(edited.database, edited.catalog) as service:
        edited.deliver(FIRST)
        edited.index()
        for name in ("石板沟", "柳树湾", "青杨坪"):
            assert found(service, q=name) == [name]
        # The index still shows the former rows; the answers do not.
        edited.deliver(SECOND)
        for name in ("石板沟", "柳树湾", "青杨坪", "qyp", "白云山"):
            assert name not in found(service, q=name)
            assert found(service, q=name) in ([], ["柳树滩"])
        assert found(service, q="新河口") == []
        edited.index()
        assert found(service, q="新河口") == ["新河口"]
        assert found(service, q="柳树") == ["柳树滩"]


def test_the_index_itself_still_has_what_the_last_look_hides(edited: Edited) -> None:
    """Negative control: until it follows, the index names the closed row; only the look at the rows hides it."""
    edited.deliver(FIRST)
    edited.index()
    edited.deliver(SECOND)
    with edited.database.transaction(Role.OWNER) as connection:
        stale = sa.select(sa.func.count()).select_from(name_tables[0]).where(name_tables[0].c.name == "石板沟")
        assert connection.execute(stale).scalar_one() == 1
    edited.index()
    with edited.database.transaction(Role.OWNER) as connection:
        assert connection.execute(stale).scalar_one() == 0


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_a_worker_follows_each_edition(edited: Edited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geoservice.gazetteer.index.read_catalog", lambda _: edited.catalog)
    stop = threading.Event()
    keeper = threading.Thread(target=NameKeeper(edited.database, stop).keep)
    keeper.start()
    try:
        for rows in (FIRST, SECOND, FIRST):
            edited.deliver(rows)
            assert until(lambda: behind(edited.database, edited.catalog) == (), 10)
    finally:
        stop.set()
        keeper.join()


def test_a_layer_that_names_nothing_any_more_leaves_the_index(edited: Edited) -> None:
    edited.deliver(FIRST)
    edited.index()
    silent = trial_layer(
        "spot", label={"zh": "name", "en": "name"}, sources={"gpkg": {"match": ["*.gpkg"], "complete": True}}
    )
    catalog = trial_catalog(silent)
    for layer in behind(edited.database, catalog):
        assert isinstance(layer, VectorLayer)
        renew(edited.database, layer)
    assert behind(edited.database, catalog) == ()
    assert edited.content() == [[], [], [], [], [], []]
