"""What a draft is for, only those see who will see the message, and a public one says nothing that is not for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import shapely

from geoservice.api import reports
from geoservice.db.engine import Database
from geoservice.house import House
from layers.access import Clearance
from tests.geoservice.alerts.test_answers import answer, kept, made
from tests.geoservice.alerts.test_drafts import SENDER, UNIT, drafted, released, wording
from tests.geoservice.alerts.test_reply import WORST, ask, hazard, reply
from tests.support.alerts import Json, Watch, cap, keeping_watch

INSIDE: Json = {"scope": "Restricted", "restriction": "staff"}


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database, alert_sender=SENDER, alert_unit=UNIT, impact_max_km2=400.0) as found:
        yield found


def drafts(watch: Watch, who: str = "author") -> list[str]:
    return [one["id"] for one in watch.ask("GET", "/alerts/drafts", who).json()["drafts"]]


def zone_kept(watch: Watch, clearance: str) -> str:
    made = watch.ask("POST", f"/hazards/zones/buffer?keep=true&clearance={clearance}", "author", json=ring(clearance))
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def ring(clearance: str) -> Json:
    place = {"type": "Point", "coordinates": [80.05, 40.05]}
    return {"geometry": place, "radii": [1_000 if clearance == "public" else 1_001]}


@pytest.mark.parametrize(("clearance", "status"), [("public", 201), ("internal", 422)])
def test_a_kept_zone_goes_into_a_draft_when_everybody_may_see_it(watch: Watch, clearance: str, status: int) -> None:
    zone = zone_kept(watch, clearance)
    before = drafts(watch)
    found = ask(watch, {"zone": zone}, reply())
    assert found.status_code == status, found.text
    assert len(drafts(watch)) == len(before) + (status == 201)
    if status == 422:
        assert "public may not see" in found.json()["detail"]
        assert watch.ask("POST", "/impact", "author", json={"zone": zone}).status_code == 200, "the author sees it"


@pytest.mark.parametrize(("scope", "status"), [({}, 201), (INSIDE, 422)])
def test_an_alert_goes_into_a_draft_when_everybody_may_see_it(watch: Watch, scope: Json, status: int) -> None:
    theirs = watch.taken(cap(f"scoped-{status}", **scope))
    for called in (theirs["id"], f"scoped-{status}"):
        assert ask(watch, {"alert": called}, reply()).status_code == status
        assert answer(watch, kept(watch, {"alert": called})).status_code == status


def test_a_zone_that_nobody_knows_is_unknown_and_not_hidden(watch: Watch) -> None:
    assert ask(watch, {"zone": "0" * 32}, reply()).status_code == 404


def test_a_public_note_names_no_alert_that_is_not_public(watch: Watch) -> None:
    inside = watch.taken(cap("inside-1", **INSIDE))
    report = kept(watch, {"zone": shapely.geometry.mapping(WORST)})
    refused = answer(watch, report, about=[inside["id"]])
    assert refused.status_code == 422
    assert "internal" in refused.json()["detail"]


def test_the_digest_of_an_answer_is_told_to_those_who_may_read_it(watch: Watch) -> None:
    question = {"zone": shapely.geometry.mapping(WORST)}
    notes = {
        level: answer(watch, kept(watch, question, clearance=level)).json()["content"]["note"]
        for level in (Clearance.PUBLIC, Clearance.INTERNAL)
    }
    assert "SHA-256" in notes[Clearance.PUBLIC]
    assert "SHA-256" not in notes[Clearance.INTERNAL]


def test_drafts_are_for_those_who_may_see_what_they_become(watch: Watch) -> None:
    inside = drafted(watch, "bearer", **INSIDE)
    open_to_all = drafted(watch)
    path = f"/alerts/drafts/{inside['id']}"
    assert {inside["id"], open_to_all["id"]} <= set(drafts(watch, "author"))
    assert inside["id"] not in drafts(watch, "officer")
    assert open_to_all["id"] in drafts(watch, "officer")
    nowhere = watch.ask("GET", f"/alerts/drafts/{'0' * 24}", "officer")
    hidden = watch.ask("GET", path, "officer")
    assert hidden.status_code == nowhere.status_code == 404
    assert hidden.json()["detail"].replace(inside["id"], "") == nowhere.json()["detail"].replace("0" * 24, "")
    assert watch.ask("DELETE", path, "officer").status_code == 404
    assert released(watch, inside, "officer").status_code == 404
    assert released(watch, inside, "author").status_code == 201


def test_nobody_writes_what_they_could_not_read(watch: Watch) -> None:
    private = wording(scope="Private", addresses="staff")
    assert watch.ask("POST", "/alerts/drafts", "author", json=private).status_code == 422
    above = watch.ask("POST", "/alerts/drafts", "bearer", json=private).json()
    assert watch.ask("GET", f"/alerts/drafts/{above['id']}", "author").status_code == 404
    assert watch.ask("PUT", f"/alerts/drafts/{above['id']}", "author", json=wording()).status_code == 404
    mine = drafted(watch)
    assert watch.ask("PUT", f"/alerts/drafts/{mine['id']}", "author", json=private).status_code == 422


def test_an_update_is_for_those_who_may_read_what_it_is_about(watch: Watch) -> None:
    first = released(watch, drafted(watch, "bearer", **INSIDE), "author").json()
    update = {"msgType": "Update", "about": [first["id"]]}
    wider = watch.ask("POST", "/alerts/drafts", "author", json=wording(**update))
    assert wider.status_code == 422
    assert "internal" in wider.json()["detail"]
    drafted(watch, **INSIDE, **update)


@pytest.fixture
def light(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without files, which are of no matter here."""
    app: Any = watch.client.app
    house: House = app.state.house

    async def make(_: Any, asker: Any, asked: Any, *__: Any) -> Any:
        return made(house, asked.kind, asked.question, asker.clearance)

    monkeypatch.setattr(reports, "make_report", make)


def with_reply(watch: Watch, question: Json, told: Json, who: str = "author", **more: Any) -> Any:
    body = {**question, "reply": {"alert": told, **more}}
    return watch.ask("POST", "/reports", who, json=body, headers={"Prefer": "respond-async"})


def reported(watch: Watch) -> int:
    return len(watch.ask("GET", "/reports", "author").json()["reports"])


@pytest.mark.usefixtures("light")
def test_a_report_and_the_reply_to_an_alert_are_one_call(watch: Watch) -> None:
    first = released(watch, drafted(watch)).json()
    found = with_reply(watch, {"impact": {"hazard": hazard()}}, reply(), about=[first["id"]])
    assert found.status_code == 201, found.text
    draft = found.json()["draft"]
    assert draft["content"]["about"] == [first["id"]]
    assert f"Report {found.json()['id']}." in draft["content"]["note"]
    assert watch.ask("GET", f"/alerts/drafts/{draft['id']}", "author").json() == draft


@pytest.mark.usefixtures("light")
@pytest.mark.parametrize(
    ("question", "told", "who", "status"),
    [
        ({"impact": {"hazard": hazard("exercise")}}, reply(), "author", 422),
        ({"compliance": {"bbox": [80.0, 40.0, 80.1, 40.1]}}, reply(), "author", 422),
        ({"impact": {"bbox": [80.0, 40.0, 80.3, 40.3], "ways": False}}, reply(), "author", 413),
        ({"impact": {"hazard": hazard()}}, {**reply(), "status": "Draft"}, "author", 400),
        ({"impact": {"hazard": hazard()}}, reply(), "insider", 403),
    ],
)
def test_there_is_no_report_where_there_is_no_reply(
    watch: Watch, question: Json, told: Json, who: str, status: int
) -> None:
    before = reported(watch), drafts(watch)
    assert with_reply(watch, question, told, who).status_code == status
    assert (reported(watch), drafts(watch)) == before
