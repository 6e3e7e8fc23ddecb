"""Mail to those who agreed: the question, the way out, one mail for each event, how often, and what does not arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from geoservice.cli import run
from geoservice.db.engine import Database
from geoservice.events import consent
from geoservice.events.dispatch import Dispatch
from tests.support.alerts import cap, info
from tests.support.notices import MAIL, Desk, open_desk

EACH_HOUR = 4


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(module_database, tmp_path_factory.mktemp("post"), mail_each_hour=EACH_HOUR) as desk:
        yield desk


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.clear()


def state(desk: Desk, number: str) -> Any:
    return desk.watch.ask("GET", f"/subscriptions/{number}", "insider").json()["state"]


def test_nothing_is_sent_before_the_reader_agreed_and_what_came_before_is_no_news(desk: Desk) -> None:
    made = desk.ask({"mail": MAIL, "kind": "alert", "lang": "en"})
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert "secret" not in made.json()
    assert state(desk, number) == "unconfirmed"
    desk.watch.taken(cap("too-early"))
    for _ in range(3):
        desk.look()
    (question,) = desk.post.mails
    assert question["To"] == MAIL
    assert question["Subject"] == "Please confirm your subscription by mail"
    assert desk.post.secured[-1]
    (path,) = desk.links("confirm")
    page = desk.watch.ask("GET", path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "Confirm the subscription" in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert state(desk, number) == "unconfirmed", "mail programs look at links"
    done = desk.watch.ask("POST", path, headers={"Accept": "text/html"})
    assert "Confirmed." in done.text
    assert state(desk, number) == "active"
    desk.watch.taken(cap("after"))
    for _ in range(3):
        desk.look()
    assert [mail["Subject"] for mail in desk.post.mails[1:]] == ["洪水橙色预警"]


def test_without_the_question_anybody_could_have_mail_sent_to_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control."""
    monkeypatch.setattr("geoservice.events.outbox.agreed", sa.true)
    monkeypatch.setattr("geoservice.events.dispatch.agreed", sa.true)
    desk.ask({"mail": MAIL, "kind": "alert"})
    desk.watch.taken(cap("unasked"))
    for _ in range(3):
        desk.look()
    assert "洪水橙色预警" in [mail["Subject"] for mail in desk.post.mails]


def test_links_are_good_for_one_step_of_one_subscription(desk: Desk) -> None:
    first, second = (desk.ask({"mail": MAIL, "kind": "alert"}).json()["id"] for _ in range(2))
    for _ in range(2):
        desk.look()
    paths = {path.split("/")[2]: path for path in desk.links("confirm")}
    token = paths[first].partition("token=")[2]
    for wrong in (
        f"/subscriptions/{second}/confirm?token={token}",
        f"/subscriptions/{first}/leave?token={token}",
        f"/subscriptions/{first}/confirm?token={token[:-1]}",
        f"/subscriptions/{first}/confirm?token=%00",
        f"/subscriptions/none/confirm?token={token}",
    ):
        for method in ("GET", "POST"):
            assert desk.watch.ask(method, wrong).status_code == 404, wrong
    assert desk.watch.ask("POST", f"/subscriptions/{first}/confirm").status_code == 400
    assert (state(desk, first), state(desk, second)) == ("unconfirmed", "unconfirmed")


def test_the_question_is_good_for_two_days_and_then_forgotten(desk: Desk) -> None:
    number = desk.ask({"mail": MAIL, "kind": "alert"}).json()["id"]
    desk.look()
    desk.run("UPDATE meta.subscription SET created = now() - interval '49 hours'")
    assert desk.watch.ask("POST", desk.links("confirm")[0]).status_code == 404
    desk.courier._swept = 0.0
    desk.look()
    assert desk.watch.ask("GET", f"/subscriptions/{number}", "insider").status_code == 404


def test_an_address_is_not_flooded_with_questions_whoever_asks(desk: Desk) -> None:
    for who in ("insider", "reader", "insider"):
        made = desk.ask({"mail": MAIL, "kind": "alert"}, who)
        assert made.status_code == 201
        # Removing the subscription does not make room for another question.
        assert desk.watch.ask("DELETE", f"/subscriptions/{made.json()['id']}", who).status_code == 204
    refused = desk.ask({"mail": MAIL.upper(), "kind": "alert"}, "bearer")
    assert (refused.status_code, refused.json()["title"]) == (429, "Too many questions")
    assert desk.watch.ask("GET", "/subscriptions", "bearer").json()["subscriptions"] == []
    assert desk.ask({"mail": "other@agency.example", "kind": "alert"}, "bearer").status_code == 201


def test_a_key_asks_a_bounded_number_of_people(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "EACH_KEY", 2)
    answers = [desk.ask({"mail": f"n{n}@agency.example", "kind": "alert"}).status_code for n in range(3)]
    assert answers == [201, 201, 429]


def test_one_click_in_the_mail_program_ends_it(desk: Desk) -> None:
    number = desk.mailed(kind="alert")
    desk.watch.taken(cap("click-1"))
    desk.watch.taken(cap("click-2"))
    desk.look()
    (mail,) = desk.post.mails
    link = mail["List-Unsubscribe"].strip("<>").removeprefix("https://geo.example.cn")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    left = desk.watch.ask("POST", link, content=b"List-Unsubscribe=One-Click", headers=form)
    assert left.status_code == 200, left.text
    assert state(desk, number) == "left"
    desk.watch.taken(cap("click-3"))
    for _ in range(2):
        desk.look()
    assert len(desk.post.mails) == 1
    assert [one for one, _ in desk.log(number)] == ["dropped", "delivered", "delivered"]
    # Who has left is not brought back by the link of the question.
    again = link.replace("/leave?", "/confirm?")
    assert desk.watch.ask("POST", again).status_code == 404


def test_the_same_event_has_the_same_name_when_it_is_sent_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.mailed(kind="alert")
    desk.watch.taken(cap("twice"))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Dispatch, "_settle", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.look()
    desk.look()
    assert len(desk.post.mails) == 2
    assert len({mail["Message-ID"] for mail in desk.post.mails}) == 1


def test_a_headline_cannot_add_a_header(desk: Desk) -> None:
    desk.mailed(kind="alert")
    evil = "洪水&#13;&#10;Bcc: everybody@example.com&#13;&#10;&#13;&#10;body"
    desk.watch.hand_in(cap("evil", info(headline=evil)))
    desk.look()
    (mail,) = desk.post.mails
    assert mail["Bcc"] is None
    assert "Bcc: everybody@example.com" in mail["Subject"]
    assert b"\nBcc:" not in desk.post.raw[0].split(b"\r\n\r\n")[0]


def test_more_than_so_many_an_hour_wait(desk: Desk) -> None:
    number = desk.mailed(kind="alert")
    for n in range(EACH_HOUR + 1):
        desk.watch.taken(cap(f"many-{n}"))
    for _ in range(EACH_HOUR + 2):
        desk.look()
    assert len(desk.post.mails) == EACH_HOUR - 1, "the question counts, too"
    assert [one for one, _ in desk.log(number)].count("waiting") == 2
    desk.run("UPDATE meta.delivery SET finished = finished - interval '1 hour'")
    for _ in range(3):
        desk.look()
    assert len(desk.post.mails) == EACH_HOUR + 1


def test_what_does_not_arrive_is_tried_again_and_what_never_will_is_given_up(desk: Desk) -> None:
    number = desk.mailed(kind="alert")
    desk.post.receivers[:] = ["451 later", "250 OK"]
    desk.watch.taken(cap("later"))
    desk.look()
    assert desk.log(number)[0] == ("waiting", 1)
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    desk.look()
    assert desk.log(number)[0] == ("delivered", 2)
    desk.post.receivers[:] = ["550 no such user"]
    desk.watch.taken(cap("never-1"))
    desk.look()
    assert desk.log(number)[0] == ("failed", 1)
    desk.watch.taken(cap("never-2"))
    desk.look()
    assert state(desk, number) == "disabled", "two given up in a row"


def test_a_key_that_is_revoked_has_no_mail_sent(desk: Desk) -> None:
    number = desk.mailed("author", kind="alert")
    desk.run("UPDATE meta.api_key SET revoked = now() WHERE rights @> '{alert,release}'")
    desk.watch.taken(cap("revoked"))
    desk.look()
    assert desk.post.mails == []
    assert number


@pytest.mark.parametrize("mail", ["Duty <a@b.example>", "a@b.example\r\nBcc: c@d.example", "a@b", "a,b@c.example", ""])
def test_only_plain_addresses_are_taken(desk: Desk, mail: str) -> None:
    assert desk.ask({"mail": mail, "kind": "alert"}).status_code == 400


def test_a_service_without_a_mail_server_says_so(desk: Desk) -> None:
    house: Any = desk.watch.client.app.state.house  # type: ignore[attr-defined]
    kept = house.settings
    house.settings = kept.model_copy(update={"mail_host": None})
    try:
        refused = desk.ask({"mail": MAIL, "kind": "alert"})
    finally:
        house.settings = kept
    assert refused.status_code == 403
    assert "sends no mail" in refused.json()["detail"]


def test_the_operator_sees_how_subscriptions_fare_and_whether_mail_arrives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    number = desk.ask({"mail": MAIL, "kind": "alert"}).json()["id"]
    settings = desk.courier._settings
    for name in ("home", "database_name", "mail_host", "mail_port", "mail_ca_file", "mail_sender"):
        monkeypatch.setenv(f"GEOSERVICE_{name.upper()}", str(getattr(settings, name)))
    assert run(["subscriptions", "status", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["id"], row["receiver"], row["state"], row["waiting"]) == (number, f"mailto:{MAIL}", "unconfirmed", 1)
    assert run(["subscriptions", "status"]) == 0
    assert run(["subscriptions", "mail", "operator@agency.example"]) == 0
    assert [mail["To"] for mail in desk.post.mails] == ["operator@agency.example"]
    desk.post.receivers[:] = ["550 nobody"]
    assert run(["subscriptions", "mail", "operator@agency.example"]) != 0
    assert "(550)" in capsys.readouterr().err
    assert run(["subscriptions", "mail", "not an address"]) == 2
