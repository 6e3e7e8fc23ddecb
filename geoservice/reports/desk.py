"""Keeping reports, and links to them. Blocking; routes call it in a worker thread.

A report is its owner's: others see it by a link that its owner makes, which shows what its clearance allows. Of the
token of a link only the hash is kept. Links that are unknown, expired or revoked look the same, and so do those whose
owner's key is revoked or has a lower clearance by now.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from geoservice.db.writing import Writer
from geoservice.http.texts import storable
from geoservice.reports import shelf
from geoservice.reports.errors import ReportTooMany, ShareTooOften
from geoservice.reports.made import Made
from geoservice.reports.manifest import Manifest
from geoservice.reports.pace import Pace
from geoservice.reports.tables import report, share
from geoservice.settings import Settings
from layers.access import Clearance, Principal
from layers.errors import BadParameter, UnknownResource
from layers.system import api_key

SHOWN = 200
"""Reports that a list shows, the latest ones."""
_TOKEN_BYTES, _ID_BYTES = 32, 8
_MISSES = 10
"""Times as many links that show nothing as files of one that does: many people may hold a link that has expired."""


@dataclass(frozen=True)
class Kept:
    """A kept report."""

    id: str
    kind: str
    title: str
    clearance: Clearance
    manifest: Manifest
    signature: str
    size: int
    created: dt.datetime


@dataclass(frozen=True)
class Share:
    """A link to a report: its id, what its readers may see, until when."""

    id: str
    clearance: Clearance
    expires: dt.datetime


class ReportDesk:
    """Keeps reports of principals."""

    def __init__(self, settings: Settings, writer: Writer) -> None:
        """Nothing is done before the first report."""
        self._settings = settings
        self._writer = writer
        self._opened = Pace(settings.share_reads)
        self._missed = Pace(settings.share_reads * _MISSES)

    def require_room(self, asker: Principal) -> None:
        """Make sure, before the work, that a key may keep another report.

        Raises:
            ReportTooMany: When it keeps as many as it may.
        """
        with self._writer.transaction() as connection:
            self._require_room(connection, asker)

    def _require_room(self, connection: sa.Connection, asker: Principal) -> None:
        # Two requests of one key at the same time must not both find the last place free.
        turn = sa.func.hashtextextended(f"geoservice.report.{asker.id}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
        mine = sa.select(sa.func.count()).where(report.c.owner == asker.id, report.c.origin.is_(None))
        if connection.execute(mine).scalar_one() >= self._settings.reports_each:
            raise ReportTooMany(
                f"A key keeps at most {self._settings.reports_each} reports; delete some of yours.",
                most=self._settings.reports_each,
            )

    def keep(self, asker: Principal, made: Made, origin: str | None = None) -> Kept:
        """Keep a report: the files first, then the row that names them.

        Raises:
            ReportTooMany: When the key keeps as many as it may.
        """
        manifest = made.sealed.manifest
        size = shelf.put(self._settings, made)
        values = {
            "id": manifest.id,
            "owner": asker.id,
            "kind": manifest.kind,
            "title": manifest.title,
            "clearance": int(manifest.level),
            "origin": origin,
            "manifest": manifest.model_dump(mode="json"),
            "signature": base64.b64encode(made.sealed.signature).decode("ascii"),
            "size": size,
        }
        try:
            with self._writer.transaction() as connection:
                if origin is None:
                    self._require_room(connection, asker)
                connection.execute(sa.insert(report).values(**values))
                return _kept(connection.execute(sa.select(report).where(report.c.id == manifest.id)).one())
        except BaseException:
            shelf.remove(self._settings, manifest.id)
            raise

    def find(self, asker: Principal, number: str) -> Kept:
        """A report of the asker.

        Raises:
            UnknownResource: When there is none that is theirs and that they may still see; all that looks the same.
        """
        with self._writer.transaction() as connection:
            return self._found(connection, asker, number)

    def _found(self, connection: sa.Connection, asker: Principal, number: str) -> Kept:
        mine = (report.c.owner == asker.id, report.c.clearance <= int(asker.clearance), report.c.origin.is_(None))
        row = connection.execute(sa.select(report).where(report.c.id == _name(number), *mine)).one_or_none()
        if row is None:
            raise UnknownResource(f"There is no report {number[:40]!r} of yours; /reports lists them.")
        return _kept(row)

    def listing(self, asker: Principal) -> list[Kept]:
        """The latest reports of the asker, the newest first."""
        mine = (report.c.owner == asker.id, report.c.clearance <= int(asker.clearance), report.c.origin.is_(None))
        latest = sa.select(report).where(*mine).order_by(report.c.created.desc(), report.c.id).limit(SHOWN)
        with self._writer.transaction() as connection:
            return [_kept(row) for row in connection.execute(latest)]

    def file(self, found: Kept, name: str) -> bytes:
        """A file of a report, by format.

        Raises:
            UnknownResource: When it is not there.
        """
        return shelf.get(self._settings, found.id, name)

    def delete(self, asker: Principal, number: str) -> None:
        """Delete a report with its links.

        Raises:
            UnknownResource: See `find`.
        """
        with self._writer.transaction() as connection:
            found = self._found(connection, asker, number)
            copies = [row.id for row in connection.execute(sa.select(report.c.id).where(report.c.origin == found.id))]
            connection.execute(sa.delete(report).where(report.c.id == found.id))
        for one in (found.id, *copies):
            shelf.remove(self._settings, one)

    def until(self, expires: str) -> dt.datetime:
        """The instant until which a link is to be in force.

        Raises:
            BadParameter: When it is none, has passed, or is too far.
        """
        most = self._settings.share_days
        try:
            found = dt.datetime.fromisoformat(expires)
            left = found - dt.datetime.now(dt.UTC)
        except (TypeError, ValueError, OverflowError):
            raise BadParameter("expires is an RFC 3339 instant, with its zone.", parameter="expires") from None
        if not dt.timedelta(0) < left <= dt.timedelta(days=most):
            raise BadParameter(f"expires lies ahead, by at most {most:g} days.", parameter="expires")
        return found

    def require_share(self, asker: Principal, number: str) -> Kept:
        """Make sure, before the work, that a report may have another link.

        Raises:
            UnknownResource, ReportTooMany: When there is no such report, or it has as many links as it may.
        """
        with self._writer.transaction() as connection:
            found = self._found(connection, asker, number)
            self._require_link(connection, found)
        return found

    def _require_link(self, connection: sa.Connection, found: Kept) -> None:
        connection.execute(sa.select(report.c.id).where(report.c.id == found.id).with_for_update())
        live = (share.c.report == found.id, share.c.expires > sa.func.now())
        if connection.execute(sa.select(sa.func.count()).where(*live)).scalar_one() >= self._settings.shares_each:
            most = self._settings.shares_each
            raise ReportTooMany(f"A report has at most {most} links in force; revoke one.", most=most)

    def share(self, asker: Principal, number: str, shown: Kept, expires: dt.datetime) -> tuple[Share, str]:
        """Make a link.

        Args:
            asker: The owner.
            number: The report.
            shown: What the link shows: the report itself, or one that was made from it for a lower clearance.
            expires: Until when.

        Returns:
            The link and its token, which is told once.
        """
        token, made = secrets.token_urlsafe(_TOKEN_BYTES), secrets.token_hex(_ID_BYTES)
        with self._writer.transaction() as connection:
            found = self._found(connection, asker, number)
            self._require_link(connection, found)
            values = {"id": made, "report": found.id, "shown": shown.id, "token": _hash(token), "expires": expires}
            connection.execute(sa.insert(share).values(**values))
        return Share(made, shown.clearance, expires), token

    def shares(self, asker: Principal, number: str) -> list[Share]:
        """The links in force to a report.

        Raises:
            UnknownResource: See `find`.
        """
        with self._writer.transaction() as connection:
            found = self._found(connection, asker, number)
            live = (share.c.report == found.id, share.c.expires > sa.func.now())
            columns = (share.c.id, report.c.clearance, share.c.expires)
            wanted = sa.select(*columns).join(report, report.c.id == share.c.shown).where(*live)
            rows = connection.execute(wanted.order_by(share.c.created, share.c.id))
            return [Share(row.id, Clearance(row.clearance), row.expires) for row in rows]

    def revoke(self, asker: Principal, number: str, link: str) -> None:
        """End a link.

        Raises:
            UnknownResource: When there is none.
        """
        with self._writer.transaction() as connection:
            found = self._found(connection, asker, number)
            ended = sa.delete(share).where(share.c.report == found.id, share.c.id == _name(link))
            if not connection.execute(ended).rowcount:
                raise UnknownResource(f"There is no link {link[:40]!r} to this report.")

    def shared(self, token: str) -> Kept:
        """What a link shows.

        Raises:
            UnknownResource: When it shows nothing, for whatever reason.
            ShareTooOften: When it was opened too often, or too many were that show nothing.
        """
        original = report.alias("original")
        held = (api_key.c.revoked.is_(None), api_key.c.clearance >= original.c.clearance)
        wanted = (
            sa.select(report)
            .join(share, share.c.shown == report.c.id)
            .join(original, original.c.id == share.c.report)
            .join(api_key, api_key.c.id == original.c.owner)
            .where(share.c.token == _hash(token), share.c.expires > sa.func.now(), *held)
        )
        with self._writer.transaction() as connection:
            row = connection.execute(wanted).one_or_none()
        # All links that show nothing are one, so that their kinds stay alike and guessing is slow.
        pace, name = (self._missed, b"") if row is None else (self._opened, _hash(token))
        if not pace.allows(name):
            raise ShareTooOften("This link was opened too often within a minute; try again in half a minute.")
        if row is None:
            raise UnknownResource("This link shows nothing: it is not in force, or never was.")
        return _kept(row)


def sweep_reports(connection: sa.Connection, settings: Settings) -> int:
    """Remove reports whose time is over, links that have expired, what only they showed, and files of no report."""
    oldest = sa.func.now() - dt.timedelta(days=settings.report_days)
    connection.execute(sa.delete(report).where(report.c.created < oldest))
    connection.execute(sa.delete(share).where(share.c.expires < sa.func.now()))
    linked = sa.exists().where(share.c.shown == report.c.id)
    # One that is being made for a link has none yet.
    settled = report.c.created < sa.func.now() - dt.timedelta(hours=1)
    connection.execute(sa.delete(report).where(report.c.origin.is_not(None), settled, ~linked))
    return shelf.sweep(settings, {row.id for row in connection.execute(sa.select(report.c.id))})


def _name(text: str) -> str:
    """What a report or link may be called; nothing is called what the database cannot even be asked about."""
    return text[:64] if storable(text) else ""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _kept(row: Any) -> Kept:
    manifest = Manifest.model_validate(row.manifest)
    names = ("id", "kind", "title", "signature", "size", "created")
    return Kept(clearance=Clearance(row.clearance), manifest=manifest, **{name: getattr(row, name) for name in names})
