"""From a report to the draft of the alert that answers the one it is about."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import shapely
import sqlalchemy as sa

from geoservice.alerts.keys import identity
from geoservice.db.engine import Database
from geoservice.house import House
from geoservice.reports.made import Made
from geoservice.reports.manifest import Manifest, digest
from geoservice.reports.seal import seal
from layers.access import Clearance, Principal
from layers.system import api_key
from tests.geoservice.alerts.test_drafts import SENDER, UNIT, drafted, released
from tests.geoservice.alerts.test_reply import WORST, hazard, reply
from tests.support.alerts import Json, Watch, cap, keeping_watch, named


@pytest.fixture(scope="module")
def watch(module_database: Database) -> Iterator[Watch]:
    with keeping_watch(module_database, alert_sender=SENDER, alert_unit=UNIT, impact_max_km2=400.0) as found:
        yield found


def made(house: House, kind: Any, question: Json, clearance: Clearance) -> Made:
    """A report whose files are of no matter."""
    now = dt.datetime.now(dt.UTC)
    manifest = Manifest(
        id=secrets.token_hex(16), kind=kind, title="x", language="zh", created=now, moment=now,
        clearance=clearance.label, product="x", question={kind: question}, inputs=(), answer=digest({}),
    )  # fmt: skip
    return Made(seal(manifest, {}, identity(house.settings.home, SENDER)), {})


def kept(
    watch: Watch, question: Json, who: str = "author", kind: Any = "impact", clearance: Clearance | None = None
) -> str:
    """A report that somebody keeps, with their clearance or a lower one."""
    app: Any = watch.client.app
    house: House = app.state.house
    number = watch.keys[who].split("_")[1]
    with house.writer.transaction() as connection:
        row = connection.execute(sa.select(api_key.c.id, api_key.c.clearance).where(api_key.c.id == number)).one()
    level = Clearance(row.clearance) if clearance is None else clearance
    return house.reports.keep(Principal(row.id, level), made(house, kind, question, level)).id


def answer(watch: Watch, report: str, who: str | None = "author", told: Json | None = None, **more: Any) -> Any:
    body = {"alert": told or reply(), **more}
    return watch.ask("POST", f"/reports/{report}/alert-draft", who, json=body)


def test_an_alert_of_ours_is_updated_and_only_when_somebody_releases_it(watch: Watch) -> None:
    first = released(watch, drafted(watch)).json()
    report = kept(watch, {"hazard": hazard()}, clearance=Clearance.PUBLIC)
    found = answer(watch, report, about=[first["id"]])
    assert found.status_code == 201, found.text
    content = found.json()["content"]
    assert (content["msgType"], content["about"]) == ("Update", [first["id"]])
    assert content["source"] == f"report {report}"
    assert f"Report {report}, SHA-256 of its answer {digest({})}." in content["note"]
    assert "People concerned: 250 (125 to 500)" in content["info"][1]["description"]
    assert watch.ask("GET", f"/alerts/{first['id']}?f=json").json()["state"] == "active", "a draft changes nothing"
    update = released(watch, found.json())
    assert update.status_code == 201, update.text
    assert watch.ask("GET", f"/alerts/{first['id']}?f=json").json()["state"] == "updated"


def test_an_alert_of_others_is_named_and_left_alone(watch: Watch) -> None:
    message = cap("foreign-1")
    theirs = watch.taken(message)
    found = answer(watch, kept(watch, {"zone": shapely.geometry.mapping(WORST)}), about=[theirs["id"]])
    assert found.status_code == 201, found.text
    content = found.json()["content"]
    assert content["msgType"] == "Alert"
    assert not content.get("about")
    sender, identifier, _ = named(message).split(",")
    assert f"On the alert {sender},{identifier}," in content["note"]


def test_a_report_that_names_an_alert_as_its_zone_answers_it(watch: Watch) -> None:
    theirs = watch.taken(cap("foreign-2"))
    for called in ("foreign-2", theirs["id"]):
        found = answer(watch, kept(watch, {"alert": called}))
        assert found.status_code == 201, found.text
        assert ",foreign-2," in found.json()["content"]["note"]


def test_a_report_of_an_exercise_answers_no_real_alert(watch: Watch) -> None:
    first = released(watch, drafted(watch)).json()
    report = kept(watch, {"hazard": hazard("exercise")})
    assert answer(watch, report, about=[first["id"]]).status_code == 422
    mixed = answer(watch, report, told=reply(status="Exercise"), about=[first["id"]])
    assert mixed.status_code == 422
    assert "Actual" in mixed.json()["detail"]
    assert answer(watch, report, told=reply(status="Exercise")).status_code == 201


def test_alerts_above_the_clearance_of_the_author_are_as_if_they_were_not_there(watch: Watch) -> None:
    hidden = watch.taken(cap("hidden-1", scope="Private", addresses="staff"))
    report = kept(watch, {"zone": shapely.geometry.mapping(WORST)})
    found = answer(watch, report, about=[hidden["id"]])
    none = answer(watch, report, about=["0" * 24])
    assert found.status_code == none.status_code == 422
    assert found.json()["detail"].replace(hidden["id"], "") == none.json()["detail"].replace("0" * 24, "")


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("reader", 403), ("officer", 403), ("bearer", 404)])
def test_it_takes_the_right_to_write_alerts_and_a_report_of_ones_own(
    watch: Watch, who: str | None, status: int
) -> None:
    report = kept(watch, {"zone": shapely.geometry.mapping(WORST)})
    assert answer(watch, report, who).status_code == status


def test_what_makes_no_alert_is_refused(watch: Watch) -> None:
    line = kept(watch, {"bbox": [80.0, 40.0, 80.1, 40.1]}, kind="compliance")
    assert answer(watch, line).status_code == 422
    large = kept(watch, {"bbox": [80.0, 40.0, 80.3, 40.3], "ways": False})
    assert answer(watch, large).status_code == 413
    assert answer(watch, line, about="all").status_code == 400
