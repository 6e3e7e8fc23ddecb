"""Webhooks: who may subscribe to what, what is told, signed how, how often, and to whom nothing is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.events import courier as courier_module
from geoservice.events.courier import Courier
from geoservice.events.dispatch import EACH, LONGEST_PAUSE, Dispatch, pause_after
from geoservice.events.postman import Postman
from ingest.remote.guard import Guard, parse_hosts
from layers.access import Clearance
from tests.support.editing import Office, give_key, open_office, point
from tests.support.mailbox import Mailbox, open_mailbox

JSON = {"Content-Type": "application/json"}


@dataclass
class Desk:
    """An office, a courier that looks when it is told to, and a receiver."""

    office: Office
    courier: Courier
    box: Mailbox

    def subscribe(self, who: str = "editor", *collections: str, **body: Any) -> Any:
        wish = {"url": f"{self.box.address}/hook?x=1", "collections": list(collections) or ["spot"], **body}
        return self.office.ask("POST", "/subscriptions", who, json=wish, headers=JSON)

    def change(self, key: str, **properties: Any) -> None:
        made = self.office.create("spot", {"code": key, **properties}, point(105, 38))
        assert made.status_code == 201, made.text

    def look(self) -> None:
        """Look once, and wait for what was sent."""
        self.courier.look()
        self.courier.rest()

    def run(self, query: str) -> None:
        with self.office.database.psycopg(Role.WRITER) as connection:
            connection.execute(query)  # type: ignore[call-overload]

    def log(self, number: str, who: str = "editor") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.office.ask("GET", f"/subscriptions/{number}/deliveries", who).json()[
            "deliveries"
        ]
        return found


@pytest.fixture(scope="module")
def module_desk(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_mailbox() as box:
        chosen = {"webhook_hosts": (box.host,), "subscriptions_each": 3, "webhook_attempts": 3, "webhook_failures": 2}
        with open_office(module_database, tmp_path_factory.mktemp("office"), **chosen) as office:
            settings = module_database.settings.model_copy(update={**chosen, "public_url": "https://geo.example.cn"})
            working = Database.from_settings(settings)
            yield Desk(office, Courier(working, threading.Event(), office.catalog), box)


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    module_desk.box.letters.clear()
    module_desk.box.statuses[:] = [204]
    yield module_desk
    module_desk.run("DELETE FROM meta.subscription")


def test_a_change_is_told_once_signed_and_no_more_than_the_key_may_know(desk: Desk) -> None:
    made = desk.subscribe("clerk")
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    desk.look()
    assert desk.box.letters == [], "what was there before is no news"
    desk.change("open", amount=1)
    desk.change("inner", level="internal")
    desk.change("hidden", level="restricted")
    desk.look()
    desk.look()
    (letter,) = desk.box.letters
    told = json.loads(letter.body)
    assert letter.path == "/hook?x=1"
    assert told["type"] == "collection.changed"
    assert told["data"]["counts"] == {"created": 2, "updated": 0, "deleted": 0}
    href = told["data"]["href"]
    assert href.startswith("https://geo.example.cn/collections/spot/changes?since=")
    path = href.removeprefix("https://geo.example.cn")
    assert [c["id"] for c in desk.office.ask("GET", path, "clerk").json()["changes"]] == ["inner", "open"]
    assert b"hidden" not in letter.body
    # The signature of Standard Webhooks, worked out by hand.
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{letter.headers['webhook-id']}.{letter.headers['webhook-timestamp']}.".encode() + letter.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert letter.headers["webhook-signature"] == f"v1,{expected}"
    assert [d["state"] for d in desk.log(made.json()["id"], "clerk")] == ["delivered"]


def test_of_what_it_may_not_see_a_subscriber_hears_nothing(desk: Desk) -> None:
    desk.subscribe("clerk")
    desk.change("secret-1", level="restricted")
    desk.look()
    assert desk.box.letters == []
    assert desk.subscribe("clerk", "vault").status_code == 404
    assert desk.subscribe(None).status_code == 401  # type: ignore[arg-type]


def test_who_holds_no_key_any_more_is_told_nothing(desk: Desk) -> None:
    desk.office.keys["leaver"] = give_key(desk.office.database, Clearance.PUBLIC, [])
    desk.subscribe("leaver")
    desk.box.statuses[:] = [500]
    desk.change("before")
    desk.look()
    assert len(desk.box.letters) == 1
    desk.run("UPDATE meta.api_key SET revoked = now() WHERE clearance = 0")
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    desk.change("after")
    desk.look()
    assert len(desk.box.letters) == 1, "neither what was waiting nor what is new"
    with desk.office.database.psycopg(Role.WRITER) as connection:
        assert connection.execute("SELECT state FROM meta.delivery").fetchall() == [("dropped",)]


def test_what_does_not_arrive_is_sent_again_under_the_same_id_and_given_up_in_the_end(desk: Desk) -> None:
    number = desk.subscribe().json()["id"]
    desk.box.statuses[:] = [500, 503, 204]
    desk.change("again")
    desk.look()
    desk.look()
    assert len(desk.box.letters) == 1, "not before its time"
    for _ in range(2):
        desk.run("UPDATE meta.delivery SET next_attempt = now()")
        desk.look()
    assert len({letter.headers["webhook-id"] for letter in desk.box.letters}) == 1
    assert [(d["state"], d["attempts"]) for d in desk.log(number)] == [("delivered", 3)]
    desk.box.statuses[:] = [500]
    for change in range(2):
        desk.change(f"lost-{change}")
        for _ in range(3):
            desk.run("UPDATE meta.delivery SET next_attempt = now()")
            desk.look()
    assert [(d["state"], d["attempts"]) for d in desk.log(number)][:2] == [("failed", 3), ("failed", 3)]
    assert desk.office.ask("GET", f"/subscriptions/{number}").json()["state"] == "disabled"
    told = len(desk.box.letters)
    desk.change("silence")
    desk.look()
    assert len(desk.box.letters) == told


def test_a_receiver_that_wants_no_more_gets_no_more(desk: Desk) -> None:
    number = desk.subscribe().json()["id"]
    desk.box.statuses[:] = [410]
    desk.change("gone")
    desk.look()
    assert desk.office.ask("GET", f"/subscriptions/{number}").json()["state"] == "disabled"


def test_a_courier_that_dies_after_sending_sends_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At least once: what was sent and not written down is sent again, and its id tells the receiver so."""
    desk.subscribe()
    desk.change("twice")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Dispatch, "_settle", killed)
        with pytest.raises(KeyboardInterrupt):
            desk.look()
    desk.look()
    assert len(desk.box.letters) == 2
    assert len({letter.headers["webhook-id"] for letter in desk.box.letters}) == 1


def test_redirects_are_not_followed(desk: Desk) -> None:
    number = desk.subscribe().json()["id"]
    desk.box.statuses[:] = [307]
    desk.change("redirect")
    desk.look()
    assert [letter.path for letter in desk.box.letters] == ["/hook?x=1"]
    assert [(d["state"], d["status"]) for d in desk.log(number)] == [("waiting", 307)]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://169.254.169.254/latest/meta-data", 403),
        ("http://localhost/x", 403),
        ("http://127.0.0.1:5432/", 403),
        ("https://evil.example.com/", 403),
        ("file:///etc/passwd", 403),
        ("ftp://127.0.0.1/x", 403),
        ("gopher://x/xxxx", 403),
        ("http://user:pass@{host}/", 403),
        ("http://{host}@evil.example.com/", 403),
        ("http://{host}\\@evil.example.com/", 403),
        ("http://{host}/\r\nX: y", 403),
        ("nonsense", 403),
        ("", 400),
        ("http://{host}/" + "x" * 2000, 400),
    ],
)
def test_addresses_that_nobody_allowed_are_refused_at_once(desk: Desk, url: str, status: int) -> None:
    refused = desk.subscribe(url=url.replace("{host}", desk.box.host))
    assert refused.status_code == status, refused.text
    assert desk.office.ask("GET", "/subscriptions").json()["subscriptions"] == []


def test_whose_hosts_are_allowed_is_not_told_to_strangers(desk: Desk) -> None:
    refused = desk.subscribe("clerk", url="https://evil.example.com/").json()
    assert refused["title"] == "Receiver not allowed"
    assert "ask the operator" in refused["detail"]
    assert desk.box.host.partition(":")[0] not in refused["detail"]


def test_a_name_that_leads_inside_is_not_connected_to(caplog: pytest.LogCaptureFixture) -> None:
    """The host is allowed and its name resolves to an inner address when the message is sent: nothing is connected."""
    guard = Guard(parse_hosts(["hooks.example.cn"]), resolver=lambda _, __: ["93.184.216.34", "10.0.0.7"])
    receipt = Postman(guard, 1.0).post("https://hooks.example.cn/x", b"{}", {})
    assert receipt.refused
    assert "10.0.0.7" in caplog.text, "the operator reads why"
    assert "10.0.0.7" not in str(receipt.error), "and the subscriber nothing of the inner network"


def test_without_the_gate_the_inner_address_would_be_reached(desk: Desk) -> None:
    """Negative control: an operator who names the network gets through to the very same kind of address."""
    closed = Guard(parse_hosts(["inside.example.cn"]), resolver=lambda _, __: ["127.0.0.1"])
    port = desk.box.host.partition(":")[2]
    opened = Guard(parse_hosts([f"inside.example.cn:{port}=127.0.0.0/8"]), resolver=lambda _, __: ["127.0.0.1"])
    assert Postman(closed, 1.0).post("http://inside.example.cn/x", b"{}", {}).refused
    assert Postman(opened, 5.0).post(f"http://inside.example.cn:{port}/x", b"{}", {}).arrived


def test_subscriptions_are_ones_own_and_counted(desk: Desk) -> None:
    number = desk.subscribe().json()["id"]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/deliveries")):
        assert desk.office.ask(method, f"/subscriptions/{number}{path}", "clerk").status_code == 404
        assert desk.office.ask(method, f"/subscriptions/{number}{path}", None).status_code == 401
    assert "secret" not in desk.office.ask("GET", f"/subscriptions/{number}").text
    assert desk.office.ask("GET", "/subscriptions", "clerk").json()["subscriptions"] == []
    assert [desk.subscribe().status_code for _ in range(3)] == [201, 201, 429]
    assert desk.office.ask("DELETE", f"/subscriptions/{number}").status_code == 204
    assert desk.office.ask("GET", f"/subscriptions/{number}").status_code == 404
    assert desk.subscribe().status_code == 201


def wait_for(letters: list[Any], seconds: float) -> bool:
    """Whether something arrives in time."""
    until = time.monotonic() + seconds
    while not letters and time.monotonic() < until:
        time.sleep(0.02)
    return bool(letters)


@pytest.mark.parametrize("lanes", [64, 1])
def test_a_slow_receiver_holds_up_nobody_else(desk: Desk, monkeypatch: pytest.MonkeyPatch, lanes: int) -> None:
    """Also when its messages come first. With one lane for all, as a negative control, the other one waits."""
    with open_mailbox() as slow:
        slow.delay = 2.0
        monkeypatch.setattr(desk.courier._dispatch, "_lanes", ThreadPoolExecutor(lanes))
        monkeypatch.setattr(desk.courier._dispatch._postman, "_guard", Guard(parse_hosts([slow.host, desk.box.host])))
        numbers = sorted(desk.subscribe().json()["id"] for _ in range(3))
        ids = ", ".join(f"'{number}'" for number in numbers[:2])
        desk.run(f"UPDATE meta.subscription SET url = '{slow.address}/hook' WHERE id IN ({ids})")  # noqa: S608 - a test
        desk.change(f"slow-{lanes}")
        desk.courier.look()
        assert wait_for(desk.box.letters, 1.8) is (lanes > 1)
        desk.courier.rest()
        assert len(slow.letters) == 2
        assert len(desk.box.letters) == 1


def test_a_receiver_gets_a_few_at_a_time(desk: Desk) -> None:
    desk.box.delay, desk.box.most = 0.2, 0
    numbers = [desk.subscribe().json()["id"] for _ in range(3)]
    for copy in range(2 * EACH):
        number = f"{copy:024d}"
        desk.run(
            "INSERT INTO meta.subscription (id, principal, url, collections, secret) "  # noqa: S608 - a test
            f"SELECT '{number}', principal, url, collections, secret FROM meta.subscription WHERE id = '{numbers[0]}'"
        )
        desk.run(
            f"INSERT INTO meta.subscription_mark SELECT '{number}', layer, edition FROM meta.subscription_mark "  # noqa: S608
            f"WHERE subscription = '{numbers[0]}'"
        )
    desk.change("few")
    for _ in range(3):
        desk.look()
    desk.box.delay = 0.0
    assert desk.box.most == EACH
    assert len(desk.box.letters) == 3 + 2 * EACH


def test_messages_of_a_subscription_come_in_order(desk: Desk) -> None:
    """The second one waits until the first one has arrived, and a subscription that waits holds up no other one."""
    first, other = desk.subscribe().json()["id"], desk.subscribe("clerk").json()["id"]
    desk.box.statuses[:] = [500, 204]
    desk.change("order-1")
    desk.look()
    desk.change("order-2")
    desk.look()
    desk.look()
    states = {
        number: [d["state"] for d in desk.log(number, who)] for number, who in ((first, "editor"), (other, "clerk"))
    }
    held, free = (first, other) if "delivered" not in states[first] else (other, first)
    assert states == {held: ["waiting", "waiting"], free: ["delivered", "delivered"]}
    desk.run("UPDATE meta.delivery SET next_attempt = now()")
    desk.look()
    desk.look()
    told = [json.loads(each.body)["data"]["edition"] for each in desk.box.letters if held in each.headers["webhook-id"]]
    assert len(told) == 3, "the first one twice"
    assert told == sorted(told)


def test_a_receiver_that_never_ends_its_answer_is_left(desk: Desk) -> None:
    """Its bytes come quicker than the limit of one reading, which alone would wait for ever."""
    guard = Guard(parse_hosts([desk.box.host]))
    desk.box.trickle = 0.1
    try:
        began = time.monotonic()
        receipt = Postman(guard, 0.5).post(f"{desk.box.address}/x", b"{}", {})
    finally:
        desk.box.trickle = 0.0
    assert receipt.error == "TimeoutError"
    assert time.monotonic() - began < 5


def test_pauses_grow_are_bounded_and_differ() -> None:
    assert [pause_after(n, 0.0) for n in (1, 2, 3)] == [5.0, 20.0, 80.0]
    assert pause_after(50, 0.0) == LONGEST_PAUSE
    assert pause_after(2, 1.0) == 10.0


def test_one_courier_works_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers, one of which holds the lock: the other one looks at nothing."""
    monkeypatch.setattr(courier_module, "LOOK_SECONDS", 0.01)
    stop, looked = threading.Event(), threading.Event()
    second = Courier(desk.courier._database, stop, desk.office.catalog)
    monkeypatch.setattr(second, "look_for_news", looked.set)
    thread = threading.Thread(target=second.keep)
    with desk.office.database.psycopg(Role.WRITER, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(hashtextextended('geoservice.events.courier', 0))")
        thread.start()
        assert not looked.wait(0.5)
        holder.execute("SELECT pg_advisory_unlock_all()")
        assert looked.wait(10)
    stop.set()
    thread.join(20)
    assert not thread.is_alive()
