"""The desk where edits are taken in: one transaction of the writer per request, whatever it is made of.

Blocking; routes call it in a worker thread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from geoservice.db.writing import MILLISECONDS, Writer
from geoservice.edits import memo as memos
from geoservice.edits.body import ContentCrs
from geoservice.edits.memo import Memo
from geoservice.settings import Settings
from ingest.edit import Applied, Edit, Editor, RowsRefused, Written, apply, lock
from ingest.edit_plan import edit_plan, judge_with
from ingest.job import IngestPlan
from ingest.record import SourceFile
from ingest.workbench import Workbench
from layers.access import Clearance, Decision, Principal
from layers.catalog import Catalog
from layers.errors import NotAllowed, TooLarge
from layers.model import RowLayer

SOURCE = "edit over the API"
"""Stands in place of the name of a source in the lineage of editions that edits made."""


@dataclass(frozen=True)
class LayerEdits:
    """Edits of one layer, which the asker may edit."""

    layer: RowLayer
    decision: Decision
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Wish:
    """What one request asks for.

    Attributes:
        parts: Its edits, by layer.
        crs: In which system its geometries stand.
        body: The request body, for the lineage.
        repair: Whether invalid geometries are mended instead of refused.
        memo: The request's Idempotency-Key, if it has one.
    """

    parts: tuple[LayerEdits, ...]
    crs: ContentCrs
    body: bytes
    repair: bool = False
    memo: Memo | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a request: the edition by layer (None where nothing changed), and what became of each edit.

    `warnings` says what was mended or is doubtful about rows that were taken. `repeated` tells that the answer was
    given before and nothing was done now.
    """

    editions: Mapping[str, int | None]
    written: tuple[tuple[str, Written], ...]
    warnings: tuple[dict[str, Any], ...] = ()
    repeated: bool = False


class EditDesk:
    """Takes in edits."""

    def __init__(self, settings: Settings, writer: Writer, catalog: Catalog) -> None:
        """Nothing is started before the first edit."""
        self._settings = settings
        self._writer = writer
        self._catalog = catalog
        self._bench = Workbench(settings.edit_timeout)
        self._plan = lru_cache(maxsize=256)(self._plan_of)

    def close(self) -> None:
        """End what judges the edits."""
        self._bench.close()

    def warm(self) -> None:
        """Get ready for edits without waiting for it: somebody who may edit asks what they may do."""
        self._bench.warm()

    def do(self, asker: Principal, wish: Wish) -> Outcome:
        """Do all that a request asks for, or nothing.

        Raises:
            GeoError: See `ingest.edit.apply` and `geoservice.edits.memo.recall`.
        """
        self._judge_wish(asker, wish)
        with self._writer.transaction() as connection:
            if wish.memo is not None:
                known = memos.recall(connection, wish.memo, self._settings.idempotency_hours)
                if known is not None:
                    return _remembered(known)
            outcome = self.apply(connection, asker, wish)
            if wish.memo is not None:
                memos.keep(connection, wish.memo, _told(outcome))
        return outcome

    def require_few(self, count: int) -> None:
        """Refuse a request of too many edits; routes ask before they look at each of them.

        Raises:
            TooLarge: When there are too many.
        """
        if count > self._settings.edit_max_actions:
            raise TooLarge(
                f"A request makes at most {self._settings.edit_max_actions} edits; this one makes {count}. Load larger "
                "amounts as a source.",
                maximum=self._settings.edit_max_actions,
            )

    def _judge_wish(self, asker: Principal, wish: Wish) -> None:
        self.require_few(sum(len(part.edits) for part in wish.parts))
        for part in wish.parts:
            _refuse_blind_creation(asker, part)
            _refuse_twice(part)

    def apply(self, connection: sa.Connection, asker: Principal, wish: Wish) -> Outcome:
        """Do all that is asked for in a transaction of the writer's, whose end decides.

        Raises:
            GeoError: See `ingest.edit.apply`.
        """
        source = SourceFile(SOURCE, len(wish.body), hashlib.sha256(wish.body).hexdigest())
        # In the same order in every request, so that two of them never wait for each other.
        parts = sorted(wish.parts, key=lambda part: part.layer.name)
        for part in parts:
            lock(connection, part.layer, round(self._settings.pool_timeout * MILLISECONDS))
        done: list[tuple[LayerEdits, Applied]] = []
        for part in parts:
            editor = Editor(asker.id, part.decision.rule.max_clearance, part.decision.attributes)
            judge = judge_with(self._bench, self._plan(part.layer, wish.repair), wish.crs.code)
            done.append((part, apply(connection, part.layer, part.edits, editor, judge, source)))
        return _outcome(done)

    def _plan_of(self, layer: RowLayer, repair: bool) -> IngestPlan:
        return edit_plan(layer, self._catalog.codelists, repair=repair)


def _refuse_blind_creation(asker: Principal, part: LayerEdits) -> None:
    """Whoever cannot see every row must not create one: that its key is taken would tell them of a hidden row."""
    layer = part.layer
    blind = layer.row_clearance is not None and layer.key and asker.clearance < max(Clearance)
    if blind and any(edit.action == "insert" for edit in part.edits):
        raise NotAllowed(
            f"Rows of collection {layer.name} have clearances of their own; creating some takes a key that may see all."
        )


def _refuse_twice(part: LayerEdits) -> None:
    """A feature is edited once in a request: which of two edits counts would be anybody's guess."""
    seen: dict[str, int] = {}
    for edit in part.edits:
        if edit.key is not None and edit.key in seen:
            message = f"Action {seen[edit.key]} edits the same feature."
            finding = {"action": edit.place, "rule": "once", "property": None, "message": message, "place": None}
            raise RowsRefused(f"Nothing was changed in collection {part.layer.name}. {message}", findings=[finding])
        if edit.key is not None:
            seen[edit.key] = edit.place


def _outcome(done: Sequence[tuple[LayerEdits, Applied]]) -> Outcome:
    written = [(part.layer.name, one) for part, applied in done for one in applied.written]
    warnings = [
        {
            "collection": part.layer.name,
            "action": flaw.position,
            "rule": flaw.rule,
            "property": flaw.attribute,
            "message": flaw.sentence,
            "place": flaw.place,
        }
        for part, applied in done
        for flaw in applied.flaws
        if flaw.attribute is None or flaw.attribute in part.decision.attributes
    ]
    editions = {part.layer.name: applied.edition for part, applied in done}
    return Outcome(editions, tuple(sorted(written, key=lambda pair: pair[1].place)), tuple(warnings))


def _told(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain JSON values."""
    written = [{"collection": name, **asdict(one)} for name, one in outcome.written]
    return {"editions": dict(outcome.editions), "written": written, "warnings": list(outcome.warnings)}


def _remembered(answer: Mapping[str, Any]) -> Outcome:
    written = tuple(
        (w["collection"], Written(w["place"], w["action"], w["key"], w["edition"])) for w in answer["written"]
    )
    return Outcome(answer["editions"], written, tuple(answer["warnings"]), repeated=True)
