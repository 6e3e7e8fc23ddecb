"""What mail may carry and where it may go: up to a clearance, to the operator's domains; asked again at sending."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from geoservice.db.engine import Database
from geoservice.events.courier import Courier
from geoservice.notice_settings import NoticeSettings
from layers.access import Clearance
from layers.catalog import Catalog
from tests.support.alerts import CATALOG, cap
from tests.support.notices import MAIL, Desk, open_desk


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post")) as desk:
        yield desk


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    """The same desk for each test, with the courier and the settings that it came with."""
    house, courier = house_of(module_desk), module_desk.courier
    settings, catalog = house.settings, house.catalog
    yield module_desk
    module_desk.courier, house.settings, house.catalog = courier, settings, catalog
    module_desk.clear()


def house_of(desk: Desk) -> Any:
    return desk.watch.client.app.state.house  # type: ignore[attr-defined]


def allow(desk: Desk, **settings: Any) -> None:
    """Have another operator: the service and its courier with other settings."""
    house = house_of(desk)
    house.settings = house.settings.model_copy(update=settings)
    changed = Database.from_settings(desk.courier._settings.model_copy(update=settings))
    desk.courier = Courier(changed, threading.Event(), CATALOG)


def tell(desk: Desk, name: str) -> tuple[list[str], int]:
    """Have an internal alert and a public one told: whose by webhook, and how many mails there are."""
    desk.watch.taken(cap(f"{name}-inner", scope="Restricted", restriction="staff"))
    desk.watch.taken(cap(f"{name}-open"))
    for _ in range(3):
        desk.look()
    return [one["data"]["identifier"] for one in desk.told()], len(desk.post.mails)


def test_mail_tells_what_is_public_whatever_the_key_may_see(desk: Desk) -> None:
    desk.hook("reader", kind="alert")
    desk.mailed("reader", kind="alert")
    assert tell(desk, "default") == (["default-inner", "default-open"], 1)


@pytest.mark.parametrize(("ceiling", "mails"), [("internal", 2), ("restricted", 2), ("public", 1)])
def test_an_operator_may_raise_that_and_the_key_still_counts(desk: Desk, ceiling: str, mails: int) -> None:
    """The negative control of the ceiling: without one the internal alert goes by mail."""
    allow(desk, mail_clearance=ceiling)
    desk.mailed("insider", kind="alert")
    assert tell(desk, f"raised-{ceiling}")[1] == mails
    desk.post.mails.clear()
    desk.demote("insider", Clearance.PUBLIC)
    try:
        assert tell(desk, f"demoted-{ceiling}")[1] == 1
    finally:
        desk.demote("insider", Clearance.INTERNAL)


def test_the_ceiling_is_asked_again_when_a_mail_is_sent(desk: Desk) -> None:
    allow(desk, mail_clearance="internal")
    number = desk.mailed("insider", kind="alert")
    desk.post.receivers[:] = ["451 later"]
    desk.watch.taken(cap("lowered", scope="Restricted", restriction="staff"))
    desk.look()
    assert desk.log(number)[0] == ("waiting", 1)
    desk.post.receivers[:] = ["250 OK"]
    allow(desk, mail_clearance="public")
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    desk.look()
    assert desk.log(number)[0] == ("dropped", 1)
    assert desk.post.mails == []


def test_changes_of_a_layer_are_counted_with_the_eyes_of_mail(desk: Desk) -> None:
    desk.hook("reader", collections=["cap_alert"])
    desk.mailed("reader", collections=["cap_alert"], lang="en")
    desk.watch.taken(cap("counted-inner", scope="Restricted", restriction="staff"))
    desk.watch.taken(cap("counted-open"))
    for _ in range(2):
        desk.look()
    assert [one["data"]["counts"]["created"] for one in desk.told()] == [2]
    (mail,) = desk.post.mails
    assert "Created: 1" in mail.get_content().splitlines()


def test_a_collection_above_it_is_refused_in_words(desk: Desk) -> None:
    closed = CATALOG.layer("division").model_copy(update={"name": "closed", "clearance": Clearance.INTERNAL})
    layers = {layer.name: layer for layer in (*CATALOG, closed)}
    house_of(desk).catalog = Catalog(layers, CATALOG.codelists)
    body = {"mail": MAIL, "collections": ["closed"]}
    refused = desk.ask(body)
    assert refused.status_code == 403
    assert "public at most" in refused.json()["detail"]
    hidden = desk.ask(body, "officer")
    assert hidden.status_code == 404, "who may not see it does not learn that it is there"
    allow(desk, mail_clearance="internal")
    assert desk.ask(body).status_code == 201


def test_an_area_is_named_by_what_mail_may_tell(desk: Desk) -> None:
    made = desk.watch.taken(cap("place-inner", scope="Restricted", restriction="staff"))
    wish = {"kind": "alert", "area": {"alert": made["id"]}}
    assert desk.ask({"url": f"{desk.box.address}/hook", **wish}).status_code == 201
    assert desk.ask({"mail": MAIL, **wish}).status_code == 404


def test_mail_goes_to_the_domains_of_the_operator_alone(desk: Desk) -> None:
    allow(desk, mail_domains=("agency.example",))
    answers = {
        mail: desk.ask({"mail": mail, "kind": "alert"}).status_code
        for mail in ("a@private.example", "a@sub.agency.example", "a@agency.example.evil.example", "a@AGENCY.Example")
    }
    assert list(answers.values()) == [403, 403, 403, 201]
    refused = desk.ask({"mail": "a@private.example", "kind": "alert"}).json()["detail"]
    assert "agency.example" not in refused, "which ones is the operator's own business"


def test_the_domain_is_asked_again_when_a_mail_is_sent(desk: Desk) -> None:
    number = desk.mailed(kind="alert")
    allow(desk, mail_domains=("elsewhere.example",))
    desk.watch.taken(cap("elsewhere"))
    desk.look()
    assert desk.post.mails == []
    assert desk.log(number)[0] == ("waiting", 1)
    allow(desk, mail_domains=("agency.example",))
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    desk.look()
    assert len(desk.post.mails) == 1


def test_domains_are_written_plainly() -> None:
    assert NoticeSettings(mail_domains=("Agency.EXAMPLE",)).mail_domains == ("agency.example",)
    for wrong in ("*.agency.example", "a@agency.example", ".agency.example", "agency", ""):
        with pytest.raises(ValidationError):
            NoticeSettings(mail_domains=(wrong,))
