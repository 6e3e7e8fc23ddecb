"""Statistics tell nobody of more than the items do: rows, attributes, divisions, and the state of the layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
import shapely

from geoservice.db.engine import Database
from geoservice.statistics import run, statements
from geoservice.statistics.keeper import KEPT_FROM
from geoservice.statistics.placement import Placement
from geoservice.statistics.shelf import FigureShelf
from layers.access import Clearance
from tests.contract.test_canary import level_of
from tests.support.loading import load_file, prepared, trial_catalog, trial_layer, write_rows
from tests.support.service import Service, running

ASKERS = (None, *Clearance)
HOSTILE = "=cmd|' /C calc'!A0 <img src=x onerror=alert(1)>"
DIVISION = {
    "key": ["adcode"],
    "geometry": "polygon",
    "geometry_required": False,
    "style": {"fill": "#aabbcc"},
    "row_clearance": "clearance",
    "time": None,
    "label": {"zh": "name_zh", "en": "name_zh"},
    "attributes": {
        "adcode": {"type": "text", "required": True},
        "level": {"type": "text"},
        "name_zh": {"type": "text"},
        "parent": {"type": "text"},
        "clearance": {"type": "code", "list": "clearance@1"},
    },
}


def ask(service: Service, layer: str, clearance: Clearance | None = None, **asked: str) -> Any:
    query = urlencode({name.replace("_", "-"): value for name, value in asked.items()})
    return service.get(f"/collections/{layer}/statistics?{query}", clearance)


def division(code: str, level: str, west: float, clearance: str = "public") -> dict[str, Any]:
    shape = shapely.box(west, 38, west + 1, 39)
    names = {"adcode": code, "level": level, "name_zh": f"县 {code}", "parent": code[:4], "clearance": clearance}
    return {**names, "geometry": shape}


@pytest.fixture(scope="module")
def divided(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two counties, the second internal; points in both and beside them; a table that tells its division by code."""
    folder = tmp_path_factory.mktemp("divided")
    table: dict[str, Any] = {"kind": "table", "geometry": None, "style": None, "row_clearance": None, "time": None}
    register = {"code": {"type": "text", "required": True}, "adcode": {"type": "text"}, "amount": {"type": "number"}}
    catalog = trial_catalog(
        trial_layer("division", **DIVISION),
        trial_layer("spot"),
        trial_layer("register", **table, attributes=register, sources={"csv": {"match": ["*.csv"]}}),
        trial_layer("empty"),
    )
    target = prepared(module_database, catalog)
    rows = [division("990101", "county", 105), division("990102", "county", 106, "internal")]
    load_file(catalog, target, "division", write_rows(folder / "division.gpkg", rows))
    places = [(105.5, "public"), (105.6, "restricted"), (106.5, "public"), (108.5, "public")]
    spots = [
        {
            "code": f"s{i}",
            "name": HOSTILE if i == 0 else None,
            "amount": float(i),
            "level": level,
            "secret": f"hidden {i}",
            "seen": f"2026-0{i + 1}-15",
            "geometry": shapely.Point(x, 38.5),
        }
        for i, (x, level) in enumerate(places)
    ]
    load_file(catalog, target, "spot", write_rows(folder / "spot.gpkg", spots))
    lines = ["code,adcode,amount", "a,990101,1", "b,990101003,2", "c,990102001,4", "d,880000,8", "e,,16"]
    (folder / "register.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    load_file(catalog, target, "register", folder / "register.csv")
    with running(module_database, catalog) as found:
        yield found


@pytest.mark.parametrize("asker", ASKERS)
def test_hidden_rows_are_in_no_figure(service: Service, asker: Clearance | None) -> None:
    seen = [i for i in range(30) if i % 3 <= level_of(asker)]
    found = ask(
        service, "spot", asker, group_by="level", measures="count,sum:amount,min:amount,max:amount", bins="amount"
    ).json()
    assert {g["keys"][0]: g["values"]["count"] for g in found["groups"]} == {
        level.label: 10 for level in Clearance if level <= level_of(asker)
    }
    expected = {"count": len(seen), "sum:amount": sum(seen), "min:amount": min(seen), "max:amount": max(seen)}
    assert found["total"] == expected
    assert sum(found["histogram"]["counts"]) == len(seen)


def test_without_the_row_rule_the_database_still_hides_them(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the conditions of the statement carry the rule; behind it stand the policies of the reader."""
    found = ask(service, "spot", None, measures="sum:amount").json()
    dropped = 0

    def conditions(layer: Any, table: Any, decision: Any, query: Any, **more: Any) -> Any:
        nonlocal dropped
        dropped += 1
        return [table.c.fid > 0]

    monkeypatch.setattr(statements, "conditions", conditions)
    service.client.app.state.house.reading.statements.clear()  # type: ignore[attr-defined]
    again = ask(service, "spot", None, measures="sum:amount", order="key").json()
    service.client.app.state.house.reading.statements.clear()  # type: ignore[attr-defined]
    assert dropped
    assert again["total"] == found["total"]


def test_the_rule_is_needed_where_one_connection_reads_for_another(service: Service) -> None:
    """Negative control: with a decision of somebody else the same statement tells more."""
    public = ask(service, "spot", None).json()["total"]["count"]
    assert ask(service, "spot", Clearance.RESTRICTED).json()["total"]["count"] == 3 * public


@pytest.mark.parametrize("asked", [{"group_by": "secret"}, {"measures": "missing:secret"}, {"filter": "secret = 'a'"}])
def test_a_hidden_attribute_is_as_unknown_as_none(service: Service, asked: dict[str, str]) -> None:
    hidden = ask(service, "spot", Clearance.INTERNAL, **asked)
    name = next(iter(asked.values())).partition(":")[2] or "secret"
    assert hidden.status_code == 400
    other = {k: v.replace(name, "tercse") for k, v in asked.items()}
    missing = ask(service, "spot", Clearance.INTERNAL, **other)
    assert hidden.json()["detail"].replace("secret", "tercse") == missing.json()["detail"]
    assert ask(service, "spot", Clearance.RESTRICTED, **asked).status_code == 200


def test_a_hidden_collection_looks_like_a_missing_one(service: Service) -> None:
    hidden, missing = ask(service, "way"), ask(service, "yaw")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.json()["detail"].replace("way", "yaw") == missing.json()["detail"]


def test_hidden_divisions_are_not_named(divided: Service) -> None:
    public = ask(divided, "spot", group_by="division", measures="count,sum:amount").json()
    assert [(g["keys"], g["values"]) for g in public["groups"]] == [(["990101"], {"count": 1, "sum:amount": 0})]
    assert public["outside"] == {"count": 2, "sum:amount": 5}
    assert public["groupBy"][0]["divisions"] == 1
    full = ask(divided, "spot", Clearance.RESTRICTED, group_by="division", measures="count,sum:amount").json()
    assert {g["keys"][0]: g["values"]["count"] for g in full["groups"]} == {"990101": 2, "990102": 1}
    assert full["outside"] == {"count": 1, "sum:amount": 3}
    assert full["total"] == {"count": 4, "sum:amount": 6}
    refused = ask(divided, "spot", within="990102")
    unknown = ask(divided, "spot", within="990103")
    assert (refused.status_code, refused.json()["detail"]) == (unknown.status_code, unknown.json()["detail"])


@pytest.fixture
def kept(divided: Service) -> Iterator[Any]:
    """Placements are kept of every layer, however small, and nothing was answered yet; the house."""
    house = divided.client.app.state.house  # type: ignore[attr-defined]
    house.placements.kept_from, house.figures = 0, FigureShelf()
    yield house
    house.placements.kept_from, house.figures = KEPT_FROM, FigureShelf()


def test_a_kept_placement_shows_nobody_more(divided: Service, kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"group_by": "division,name", "measures": "count,sum:amount,missing:name,min:amount", "order": "key"}
    bodies = {asker: ask(divided, "spot", asker, **asked).json() for asker in reversed(ASKERS)}
    kept.placements.kept_from, kept.figures = KEPT_FROM, FigureShelf()
    for asker in ASKERS:
        placed = ask(divided, "spot", asker, **asked).json()
        assert {**placed, "links": None} == {**bodies[asker], "links": None}
    assert len({str(bodies[asker]["total"]) for asker in Clearance}) > 1

    # Negative control: the figures came out of what is kept, and what is kept is of one clearance.
    # Other layers may have been placed in the background meanwhile.
    folders = sorted(one.name for one in (kept.settings.home / "placements").glob("spot-*") if one.is_dir())
    assert [name.split("-")[:3] for name in folders] == [
        ["spot", one.label, "county"] for one in sorted(Clearance, key=lambda level: level.label)
    ]
    kept.placements.kept_from, kept.figures = 0, FigureShelf()
    monkeypatch.setattr(run, "_listed", refused)
    assert ask(divided, "spot", None, **asked).status_code == 500
    assert ask(divided, "spot", None, **asked, within="990101").status_code == 200, "is placed for the question"


async def refused(*_: Any) -> Any:
    raise AssertionError("was read from what is kept")


def test_a_row_that_is_not_in_the_placement_is_not_left_out(
    divided: Service, kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"group_by": "division", "measures": "count,sum:amount"}
    first = ask(divided, "spot", Clearance.RESTRICTED, **asked).json()
    whole = Placement.of

    def torn(arrays: Any, codes: Any) -> Placement:
        found = whole(arrays, codes)
        return replace(found, fid=found.fid[1:], division=found.division[1:])

    monkeypatch.setattr(Placement, "of", torn)
    kept.figures = FigureShelf()
    kept.placements._held.clear()
    assert ask(divided, "spot", Clearance.RESTRICTED, **asked).json() == first
    kept.placements._held.clear()


def test_rows_without_geometry_belong_to_the_division_of_their_code(divided: Service) -> None:
    found = ask(divided, "register", Clearance.INTERNAL, group_by="division", measures="sum:amount,count").json()
    assert {g["keys"][0]: g["values"]["sum:amount"] for g in found["groups"]} == {"990102": 4, "990101": 3}
    assert found["outside"] == {"sum:amount": 24, "count": 2}
    inside = ask(divided, "register", Clearance.INTERNAL, within="990101", measures="sum:amount").json()
    assert inside["total"] == {"sum:amount": 3}


def test_times_are_grouped_by_their_period(divided: Service) -> None:
    found = ask(divided, "spot", group_by="seen", period="month", order="key").json()
    assert [g["keys"][0] for g in found["groups"]] == ["2026-01", "2026-03", "2026-04"]
    year = ask(divided, "spot", Clearance.RESTRICTED, group_by="seen", measures="min:seen,max:seen").json()
    assert [(g["keys"], g["values"]) for g in year["groups"]] == [
        (["2026"], {"min:seen": "2026-01-15", "max:seen": "2026-04-15"})
    ]


def test_an_answer_is_worked_out_once_per_edition_and_reader(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"measures": "count,max:amount", "group_by": "name"}
    first = {asker: ask(service, "spot", asker, **asked).json() for asker in reversed(ASKERS)}

    async def never(*_: Any) -> Any:
        raise AssertionError("worked out again")

    monkeypatch.setattr("geoservice.api.statistics.rows_found", never)
    for asker in ASKERS:
        again = ask(service, "spot", asker, **asked)
        assert (again.status_code, again.json()) == (200, first[asker])
    assert len({str(first[asker]["total"]) for asker in Clearance}) == len(Clearance)
    assert ask(service, "spot", None, **asked, limit="3").status_code == 500, "another question is worked out"


def test_nothing_is_no_zero(divided: Service) -> None:
    found = ask(divided, "empty", group_by="name", measures="sum:amount,mean:amount,share", bins="amount").json()
    assert (found["edition"], found["groups"], found["rest"]) == (None, [], None)
    assert found["total"] == {"sum:amount": None, "mean:amount": None, "share": None}
    assert (found["histogram"]["counts"], found["histogram"]["missing"]) == ([], 0)


def test_hostile_names_stay_texts(divided: Service) -> None:
    body = ask(divided, "spot", group_by="name").json()
    assert HOSTILE in [g["keys"][0] for g in body["groups"]]
    table = ask(divided, "spot", group_by="name", f="csv")
    assert f'"\'{HOSTILE}"' in table.text or f"'{HOSTILE}" in table.text
    assert f",{HOSTILE}" not in table.text
    none = next(g for g in body["groups"] if g["keys"][0] is None)
    assert none["labels"] == [{"zh": "无值", "en": "No value"}]


def test_the_past_is_told_as_it_was(divided: Service, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = ask(divided, "spot", Clearance.RESTRICTED).json()
    folder = tmp_path_factory.mktemp("later")
    target = prepared(divided.database, divided.catalog)
    row = {"code": "later", "name": "later", "amount": 100.0, "level": None, "secret": None, "seen": "2026-09-01"}
    load_file(
        divided.catalog,
        target,
        "spot",
        write_rows(folder / "spot.gpkg", [{**row, "geometry": shapely.Point(105.5, 38.5)}]),
    )
    now = ask(divided, "spot", Clearance.RESTRICTED, group_by="division").json()
    assert now["total"]["count"] != before["total"]["count"]
    edition = str(before["edition"]["number"])
    then = ask(divided, "spot", Clearance.RESTRICTED, edition=edition)
    assert (then.json()["total"], then.json()["edition"]) == (before["total"], before["edition"])
    assert then.headers["Geoservice-Edition"] == edition
    parted = ask(divided, "spot", Clearance.RESTRICTED, edition=edition, group_by="division").json()
    assert parted["total"]["count"] == before["total"]["count"]


def test_a_later_edition_is_placed_anew(divided: Service, kept: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = ask(divided, "spot", group_by="division").json()
    row = {"code": "moved", "name": "moved", "amount": 1.0, "level": "public", "secret": None, "seen": "2026-10-01"}
    rows = [{**row, "geometry": shapely.Point(105.5, 38.5)}, {**row, "code": "b", "geometry": shapely.Point(99, 38.5)}]
    file = write_rows(tmp_path_factory.mktemp("moved") / "spot.gpkg", rows)
    load_file(divided.catalog, prepared(divided.database, divided.catalog), "spot", file)
    divided.client.portal.call(kept.placements.look, divided.catalog, kept.reading)  # type: ignore[union-attr]
    after = ask(divided, "spot", group_by="division").json()
    told = [(body["groups"][0]["values"]["count"], body["outside"]["count"]) for body in (before, after)]
    assert told[1] == (told[0][0] + 1, told[0][1] + 1)
    assert after["edition"]["number"] > before["edition"]["number"]
    folders = [list(one.glob("*-*-*-*")) for one in (kept.settings.home / "placements").glob("spot-public-county-*")]
    assert [[one.name.partition("-")[0] for one in some] for some in folders] == [[str(after["edition"]["number"])]]
