"""A service with alerts and stations, a courier that looks when it is told to, and real receivers of both kinds."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geoservice.db.credentials import Role
from geoservice.db.engine import Database
from geoservice.events.courier import Courier
from layers.access import Clearance
from tests.support.alerts import CATALOG, Watch, keeping_watch
from tests.support.mailbox import Mailbox, open_mailbox
from tests.support.postoffice import PostOffice, open_post_office

ROOT = "https://geo.example.cn"
MAIL = "duty.officer@agency.example"


@dataclass
class Desk:
    """The service, its courier and its receivers."""

    watch: Watch
    courier: Courier
    box: Mailbox
    post: PostOffice

    def ask(self, body: dict[str, Any], who: str = "insider") -> Any:
        """Ask for a subscription."""
        return self.watch.ask("POST", "/subscriptions", who, json=body)

    def hook(self, who: str = "insider", **body: Any) -> str:
        """Subscribe by webhook; the id of the subscription."""
        made = self.ask({"url": f"{self.box.address}/hook", **body}, who)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    def mailed(self, who: str = "insider", **body: Any) -> str:
        """Subscribe by mail and agree to it; the id of the subscription."""
        made = self.ask({"mail": MAIL, **body}, who)
        assert made.status_code == 201, made.text
        self.look()
        path = self.links("confirm")[0]
        assert self.watch.ask("POST", path).status_code == 200
        self.post.mails.clear()
        self.post.raw.clear()
        return str(made.json()["id"])

    def links(self, step: str) -> list[str]:
        """Paths of the links of a kind in the mails that arrived."""
        texts = "\n".join(mail.get_content() for mail in self.post.mails)
        found = re.findall(rf"{ROOT}(/subscriptions/\S+/{step}\?token=\S+)", texts)
        return [str(urlsplit(one).path + "?" + urlsplit(one).query) for one in found]

    def look(self) -> None:
        """Look at everything once, and wait for what was sent."""
        self.courier._excess.look()
        self.courier.look()
        self.courier.rest()

    def told(self) -> list[dict[str, Any]]:
        """What was posted, and forget it."""
        found = [json.loads(letter.body) for letter in self.box.letters]
        self.box.letters.clear()
        return found

    def run(self, query: str) -> None:
        """Change something behind the service's back."""
        with self.watch.database.psycopg(Role.WRITER) as connection:
            connection.execute(query)  # type: ignore[call-overload]

    def demote(self, who: str, clearance: Clearance) -> None:
        """Give a key another clearance."""
        number = self.watch.keys[who].split("_")[1]
        with self.watch.database.psycopg(Role.WRITER) as connection:
            connection.execute("UPDATE meta.api_key SET clearance = %s WHERE id = %s", (int(clearance), number))

    def log(self, number: str, who: str = "insider") -> list[tuple[str, int]]:
        """State and attempts of the latest deliveries."""
        found = self.watch.ask("GET", f"/subscriptions/{number}/deliveries", who).json()["deliveries"]
        return [(one["state"], one["attempts"]) for one in found]

    def clear(self) -> None:
        """Forget subscriptions and what arrived."""
        self.run("DELETE FROM meta.subscription; DELETE FROM meta.mail_asked; UPDATE meta.api_key SET revoked = NULL")
        self.box.statuses[:], self.post.receivers[:] = [204], ["250 OK"]
        for kept in (self.box.letters, self.post.mails, self.post.raw):
            kept.clear()  # type: ignore[attr-defined]


@contextmanager
def open_desk(database: Database, folder: Path, **settings: Any) -> Iterator[Desk]:
    """The service and its receivers at work."""
    with open_mailbox() as box, open_post_office(folder) as post:
        chosen = {
            "webhook_hosts": (box.host,), "webhook_attempts": 3, "webhook_failures": 2, "public_url": ROOT,
            "mail_host": "127.0.0.1", "mail_port": post.port, "mail_ca_file": post.authority,
            "mail_sender": "geo@agency.example", "subscriptions_each": 5, **settings,
        }  # fmt: skip
        with keeping_watch(database, **chosen) as watch:
            working = Database.from_settings(database.settings.model_copy(update=chosen))
            yield Desk(watch, Courier(working, threading.Event(), CATALOG), box, post)
