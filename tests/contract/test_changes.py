"""The change feed: a copy of one edition becomes one of another by it, for every reader, and tells nobody of more."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from ingest import figures
from layers.access import Clearance
from tests.support.editing import Office, open_office, point

READERS = (None, "clerk", "editor")
LEVELS = (None, "internal", "restricted")
Copy = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def office(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with open_office(module_database, tmp_path_factory.mktemp("office")) as found:
        yield found


def latest(office: Office) -> int:
    return int(office.ask("GET", "/collections/spot/items?limit=1").json()["edition"])


def content(feature: dict[str, Any]) -> dict[str, Any]:
    """What a reader sees of a feature; its version may tell of changes that they do not see."""
    return {name: feature[name] for name in ("id", "geometry", "properties")}


def snapshot(office: Office, who: str | None, edition: int) -> Copy:
    page = office.ask("GET", f"/collections/spot/items?limit=10000&edition={edition}", who).json()
    return {f["id"]: content(f) for f in page["features"]}


def delta(
    office: Office, who: str | None, since: int, until: int | None = None, limit: int = 2
) -> list[dict[str, Any]]:
    path = f"/collections/spot/changes?since={since}&limit={limit}" + (f"&until={until}" if until is not None else "")
    found: list[dict[str, Any]] = []
    while path:
        answer = office.ask("GET", path, who)
        assert answer.status_code == 200, answer.text
        found += answer.json()["changes"]
        following = [x["href"] for x in answer.json()["links"] if x["rel"] == "next"]
        path = following[0].removeprefix("http://testserver") if following else ""
    assert [c["id"] for c in found] == sorted({c["id"] for c in found}), "each feature once, in the order of keys"
    return found


def applied(copy: Copy, changes: list[dict[str, Any]]) -> Copy:
    """A copy after the changes; they must fit it."""
    copy = dict(copy)
    for change in changes:
        if change["action"] == "deleted":
            assert "feature" not in change
            copy.pop(change["id"], None)
        else:
            assert change["action"] == ("updated" if change["id"] in copy else "created"), change
            copy[change["id"]] = content(change["feature"])
    return copy


def brought_up(copy: Copy, changes: list[dict[str, Any]]) -> Copy:
    """A copy after the changes, whatever it held: who kept a row that was closed since has more than is read today."""
    copy = dict(copy)
    for change in changes:
        copy.pop(change["id"], None)
        if change["action"] != "deleted":
            copy[change["id"]] = content(change["feature"])
    return copy


ROW = st.fixed_dictionaries(
    {
        "level": st.sampled_from(LEVELS),
        "amount": st.integers(0, 1),
        "secret": st.sampled_from(["a", "b"]),
        "x": st.integers(0, 1),
    }
)
STEPS = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.none() | ROW, min_size=1, max_size=3), min_size=2, max_size=7
)


def commit(office: Office, rows: dict[str, dict[str, Any] | None], there: set[str]) -> None:
    """Bring some features to what they shall be, as one edition."""
    actions: list[dict[str, Any]] = []
    for key, row in rows.items():
        if row is None:
            actions += [{"action": "delete", "collection": "spot", "id": key}] if key in there else []
            continue
        properties = {"code": key, **{n: row[n] for n in ("level", "amount", "secret")}}
        feature = {"type": "Feature", "geometry": point(105 + row["x"], 38), "properties": properties}
        known = {"action": "replace", "id": key} if key in there else {"action": "insert"}
        actions.append({**known, "collection": "spot", "feature": feature})
        there.add(key)
    there -= {key for key, row in rows.items() if row is None}
    if actions:
        headers = {"Content-Type": "application/ogc-tx+json"}
        done = office.ask("POST", "/transactions", json={"transaction": actions}, headers=headers)
        assert done.status_code == 200, done.text


def counted(office: Office, who: str | None, since: int) -> dict[str, int]:
    """How many changes the feed says that there are; a page of one must not change that."""
    answer = office.ask("GET", f"/collections/spot/changes?since={since}&limit=1&counts=true", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, int] = answer.json()["counts"]
    return found


def tallied(changes: list[dict[str, Any]]) -> dict[str, int]:
    """The same by counting the entries."""
    return {name: sum(one["action"] == name for one in changes) for name in ("created", "updated", "deleted")}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_copy_and_the_changes_make_the_later_edition(office: Office, steps: list[dict[str, Any]]) -> None:
    there = {key for key in "abcd" if office.get("spot", key).status_code == 200}
    editions = [latest(office)]
    # Copies that readers made when each edition was the latest one, and kept.
    kept = [{who: snapshot(office, who, editions[0]) for who in READERS}]
    for rows in steps:
        commit(office, rows, there)
        editions.append(latest(office))
        kept.append({who: snapshot(office, who, editions[-1]) for who in READERS})
    for who in READERS:
        now = snapshot(office, who, editions[-1])
        for number, edition in enumerate(editions):
            changes = delta(office, who, edition)
            assert brought_up(kept[number][who], changes) == now, (who, edition)
            assert all(c["action"] != "deleted" or c["id"] in kept[number][who] for c in changes), (
                "told of a hidden row"
            )
            assert counted(office, who, edition) == tallied(changes), (who, edition)
        # Between any two editions, as they are to be read today.
        for early, late in itertools.pairwise(editions):
            changes = delta(office, who, early, late)
            assert brought_up(snapshot(office, who, early), changes) == snapshot(office, who, late), (who, early, late)


def test_from_the_beginning_everything_is_created(office: Office) -> None:
    edition = latest(office)
    for who in READERS:
        changes = delta(office, who, 0, edition, limit=10_000)
        assert {c["action"] for c in changes} == {"created"}
        assert applied({}, changes) == snapshot(office, who, edition)


def test_what_rises_is_gone_and_what_falls_is_new(office: Office) -> None:
    commit(office, {"rise": {"level": None, "amount": 1, "secret": "a", "x": 0}}, set())
    commit(office, {"hid": {"level": "restricted", "amount": 1, "secret": "a", "x": 0}}, set())
    since = latest(office)
    commit(office, {"rise": {"level": "internal", "amount": 1, "secret": "a", "x": 0}}, {"rise"})
    risen = latest(office)
    assert [(c["id"], c["action"]) for c in delta(office, None, since)] == [("rise", "deleted")]
    assert [(c["id"], c["action"]) for c in delta(office, "clerk", since)] == [("rise", "updated")]
    # A row that was hidden all the time changes and goes: the public hears nothing.
    commit(office, {"hid": {"level": "restricted", "amount": 0, "secret": "a", "x": 0}}, {"hid"})
    commit(office, {"hid": None}, {"hid"})
    assert delta(office, None, risen) == []
    commit(office, {"rise": {"level": None, "amount": 1, "secret": "a", "x": 0}}, {"rise"})
    fallen = delta(office, None, risen)
    assert [(c["id"], c["action"]) for c in fallen] == [("rise", "created")]


def test_without_the_notes_of_what_rose_a_copy_would_keep_it(office: Office) -> None:
    """Negative control: what tells the public that a row is gone are the notes, and nothing else could."""
    commit(office, {"note": {"level": None, "amount": 1, "secret": "a", "x": 0}}, set())
    since = latest(office)
    commit(office, {"note": {"level": "restricted", "amount": 1, "secret": "a", "x": 0}}, {"note"})
    assert [c["id"] for c in delta(office, None, since)] == ["note"]
    with office.database.psycopg(Role.WRITER) as connection:
        connection.execute("DELETE FROM meta.raised WHERE key = 'note'")
    assert delta(office, None, since) == []


def test_a_change_above_the_reader_is_none(office: Office) -> None:
    commit(office, {"sec": {"level": None, "amount": 1, "secret": "a", "x": 0}}, set())
    since = latest(office)
    commit(office, {"sec": {"level": None, "amount": 1, "secret": "b", "x": 0}}, {"sec"})
    assert delta(office, None, since) == []
    assert [c["action"] for c in delta(office, "editor", since)] == ["updated"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("since=x", 400),
        ("since=-1", 400),
        (f"since={10**30}", 400),
        ("since=٣", 400),
        ("since=999999999", 404),
        ("since=0&until=999999999", 404),
        ("since=0&limit=0", 400),
        ("since=0&cursor=abc", 400),
        ("since=0&what=1", 400),
    ],
)
def test_questions_that_have_no_answer(office: Office, query: str, status: int) -> None:
    answer = office.ask("GET", f"/collections/spot/changes?{query}")
    assert answer.status_code == status, answer.text


def test_an_edition_that_is_not_kept_is_gone_and_the_way_on_is_told(office: Office) -> None:
    """Numbers of editions of other layers lie between those of this one."""
    office.create("register", {"code": "between"})
    foreign = int(office.ask("GET", "/collections/register/items").json()["edition"])
    commit(
        office,
        {"a": {"level": None, "amount": 1, "secret": "z", "x": 0}},
        {"a"} & snapshot(office, "editor", latest(office)).keys(),
    )
    gone = office.ask("GET", f"/collections/spot/changes?since={foreign}")
    assert (gone.status_code, gone.json()["latest"]) == (410, latest(office))


def test_pages_stay_what_they_are_while_others_edit(office: Office) -> None:
    first = office.ask("GET", "/collections/spot/changes?since=0&limit=3").json()
    commit(office, {"zz": {"level": None, "amount": 1, "secret": "a", "x": 0}}, set())
    following = next(x["href"] for x in first["links"] if x["rel"] == "next")
    second = office.ask("GET", following.removeprefix("http://testserver")).json()
    assert second["until"] == first["until"]
    assert "zz" not in {c["id"] for c in second["changes"]}
    # A token is worth nothing to another reader, nor for other editions.
    path = following.removeprefix("http://testserver")
    assert office.ask("GET", path, "clerk").status_code == 400
    assert office.ask("GET", path.replace("since=0", f"since={first['until']}")).status_code == 400


def test_collections_that_have_no_changes(office: Office) -> None:
    assert office.ask("GET", "/collections/vault/changes?since=0", "clerk").status_code == 404
    assert office.ask("GET", "/collections/way/changes?since=0").json()["changes"] == []


def test_figures_follow_edits_as_if_they_were_counted_anew(office: Office) -> None:
    """The oracle is the count over all rows that a load makes; the edits above moved, hid and deleted many."""
    commit(office, {"far": {"level": "internal", "amount": 1, "secret": "a", "x": 9}}, set())
    commit(office, {"far": {"level": None, "amount": 1, "secret": "a", "x": 5}}, {"far"})
    commit(office, {"near": {"level": None, "amount": 1, "secret": "a", "x": 1}, "far": None}, {"far"})
    query = "SELECT * FROM meta.layer_figures WHERE layer = 'spot' ORDER BY clearance"
    with office.database.transaction(Role.WRITER) as connection:
        followed = connection.exec_driver_sql(query).all()
        figures.renew(connection, office.catalog.layer("spot"))  # type: ignore[arg-type]
        assert followed == connection.exec_driver_sql(query).all()
    assert len(followed) == len(Clearance)


def test_counts_come_only_when_asked_for(office: Office) -> None:
    assert "counts" not in office.ask("GET", "/collections/spot/changes?since=0").json()
    refused = office.ask("GET", "/collections/spot/changes?since=0&counts=all")
    assert refused.status_code == 400
    assert "true or false" in refused.json()["detail"]
