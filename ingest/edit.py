"""Edits of single features, written as a load writes them: judged, compared, history, edition, change event.

A load finds out what a source changes; an edit says so itself. All that comes after is the same code, and the rows are
judged by the same checks in a confined child. An edit holds the layer's lock from reading what it changes until it is
committed, so edits of a layer happen one after the other and none is lost.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import sqlalchemy as sa

from ingest import edit_tables, figures, indexes, undo
from ingest.job import IngestReport, ReadSummary
from ingest.record import Counts, SourceFile, begin_edition, close_edition, layer_key
from ingest.workbench import Flaw, Judged
from layers.access import Clearance
from layers.errors import GeoError, LayerBusy, UnknownFeature
from layers.model import RowLayer
from layers.table import current_table

Action = Literal["insert", "replace", "update", "delete"]
MAPPING = "edit"
"""Stands in place of a source mapping in the lineage of editions that edits made."""


class Absent(Enum):
    """Stands where a geometry is not mentioned; None says that there is none."""

    TOKEN = 0


ABSENT = Absent.TOKEN


@dataclass(frozen=True)
class Condition:
    """What must hold of a feature as it is, for an edit to be done.

    Attributes:
        editions: One of these must have written it (None = any).
        unmodified_since: It must not have changed later than this instant.
    """

    editions: frozenset[int] | None = None
    unmodified_since: dt.datetime | None = None


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        action: What is done. `replace` gives a feature new content, `update` changes only what it mentions.
        place: Number of the edit in its request, from 0.
        key: Public id of the feature; None when it is inserted.
        properties: Attribute -> JSON value.
        geometry: GeoJSON geometry in the CRS of the request (x, y), None for no geometry, or ABSENT.
        condition: When to do it at all.
    """

    action: Action
    place: int
    key: str | None = None
    properties: Mapping[str, Any] | None = None
    geometry: Mapping[str, Any] | Absent | None = ABSENT
    condition: Condition = Condition()


@dataclass(frozen=True)
class Editor:
    """Who edits: their id for the record, the rows and attributes they may see."""

    principal: str
    clearance: Clearance
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """What became of one edit: the public id of its feature, and the edition that the feature is of now."""

    place: int
    action: Action
    key: str
    edition: int | None


@dataclass(frozen=True)
class Applied:
    """What became of all edits of one layer; `edition` is None when nothing changed."""

    edition: int | None
    written: tuple[Written, ...]
    flaws: tuple[Flaw, ...] = ()


class RowsRefused(GeoError):
    """Edited rows break rules of their layer; nothing was changed. `findings` names rule, property, place of each."""

    title = "Edit refused"


class FeatureChanged(GeoError):
    """A feature is not what the request makes a condition of."""

    title = "Feature has changed"


class FeatureExists(GeoError):
    """A feature with the key of the new one exists already."""

    title = "Feature exists"


Judge = Callable[[Sequence[Mapping[str, Any]], sa.Connection], Judged]
"""Judges rows: `position`, `properties`, and `geometry` or `wkb`. The connection is for what checks need of others."""


def lock(connection: sa.Connection, layer: RowLayer, milliseconds: int) -> None:
    """Wait for the layer's lock and hold it until the end of the transaction.

    Raises:
        LayerBusy: When a load or other edits hold it longer.
    """
    connection.execute(sa.select(sa.func.set_config("lock_timeout", f"{milliseconds}ms", True)))
    try:
        with connection.begin_nested():
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(layer_key(layer))))
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise LayerBusy(f"A load of {layer.id} is under way; try again when it has ended.", layer=layer.id) from None


_LOCK_NOT_AVAILABLE = "55P03"


def apply(
    connection: sa.Connection, layer: RowLayer, edits: Sequence[Edit], editor: Editor, judge: Judge, source: SourceFile
) -> Applied:
    """Do some edits of one layer as one edition, all or none.

    Args:
        connection: The transaction; it holds the layer's lock.
        layer: The layer; whoever asks may edit it.
        edits: What to do; each feature at most once.
        editor: Who edits.
        judge: See `Judge`.
        source: Identity of the request, for the lineage.

    Raises:
        UnknownFeature: When a feature that is to be changed is not there, or not for this editor.
        FeatureChanged: When a condition does not hold.
        FeatureExists: When a new feature has the key of one that is there.
        RowsRefused: When rows break rules.
    """
    before = edit_tables.current_rows(connection, layer, [e.key for e in edits if e.key is not None], editor)
    for edit in edits:
        _require(layer, edit, before)
    content = [_content(layer, edit, before, editor) for edit in edits if edit.action != "delete"]
    judged = judge(content, connection) if content else None
    if judged is not None:
        refuse_flawed(layer, judged, editor)
    landed = edit_tables.land(connection, layer, judged.rows if judged is not None else None, edits)
    _check_landed(connection, layer, edits, landed, editor)
    return _write(connection, layer, edits, (before, landed), judged, (editor, source))


def _require(layer: RowLayer, edit: Edit, before: Mapping[str, edit_tables.Current]) -> None:
    if edit.key is None:
        return
    row = before.get(edit.key)
    if row is None:
        raise UnknownFeature(f"Collection {layer.name} has no feature {edit.key[:80]!r}.", action=edit.place)
    wanted = edit.condition
    same = wanted.editions is None or row.edition in wanted.editions
    if not same or (wanted.unmodified_since is not None and row.valid_from > wanted.unmodified_since):
        raise FeatureChanged(
            f"Feature {edit.key[:80]!r} of collection {layer.name} has changed since the version that the request "
            "names; get it again, and repeat the change on what it is now.",
            action=edit.place,
        )


def _content(layer: RowLayer, edit: Edit, before: Mapping[str, edit_tables.Current], editor: Editor) -> dict[str, Any]:
    """The whole row that an edit asks for: what it mentions, and what it leaves as it is.

    Attributes above the editor's clearance stay as they are, and so does the key: it is the feature's name.
    """
    row = before.get(edit.key) if edit.key is not None else None
    given = dict(edit.properties or {})
    kept: dict[str, Any] = {}
    if row is not None:
        fixed = {n for n in layer.attributes if n not in editor.attributes} | (set(layer.key) - given.keys())
        stays = layer.attributes if edit.action == "update" else fixed
        kept = {name: row.properties[name] for name in stays}
    content: dict[str, Any] = {"position": edit.place, "properties": {**kept, **given}}
    if edit.geometry is not ABSENT:
        content["geometry"] = edit.geometry
    elif row is not None and edit.action == "update":
        content["wkb"] = row.wkb
    return content


def refuse_flawed(layer: RowLayer, judged: Judged, editor: Editor) -> None:
    """Refuse the edits when a row is not good.

    Raises:
        RowsRefused: With the first findings; what is wrong with attributes that the editor may not see is not told.
    """
    bad = {r["_position"] for r in judged.rows.select(["_position", "_reason"]).to_pylist() if r["_reason"] is not None}
    if not bad:
        return
    findings = [_told(flaw, editor) for flaw in judged.flaws if flaw.severity == "error" and flaw.position in bad]
    findings.sort(key=lambda finding: int(finding["action"]))
    first = findings[0]["message"] if findings else "A row cannot be stored."
    raise RowsRefused(
        f"{len(bad)} of the rows for collection {layer.name} were refused and nothing was changed. {first}",
        findings=findings[:_MOST_FINDINGS],
    )


_MOST_FINDINGS = 50
_HIDDEN = "The layer has a rule that only holders of a higher clearance can meet."


def _told(flaw: Flaw, editor: Editor) -> dict[str, Any]:
    hidden = flaw.attribute is not None and flaw.attribute not in editor.attributes
    return {
        "action": flaw.position,
        "rule": "hidden" if hidden else flaw.rule,
        "property": None if hidden else flaw.attribute,
        "message": "The layer has a rule that only holders of a higher clearance can meet."
        if hidden
        else flaw.sentence,
        "place": flaw.place,
    }


def _check_landed(
    connection: sa.Connection,
    layer: RowLayer,
    edits: Sequence[Edit],
    landed: Mapping[int, edit_tables.LandedRow],
    editor: Editor,
) -> None:
    """Keys and clearances of the new rows: a key names one feature for ever, and nobody writes above themselves."""
    findings = [f for e in edits if e.place in landed for f in _misplaced(layer, e, landed[e.place], editor)]
    fresh: dict[str, int] = {}
    for edit in edits:
        if edit.action != "insert":
            continue
        key = landed[edit.place].key
        if key in fresh:
            findings.append(_flaw(edit, "key", f"Action {fresh[key]} creates a feature with the same key."))
        fresh[key] = edit.place
    if findings:
        raise RowsRefused(
            f"{len(findings)} of the rows for collection {layer.name} were refused and nothing was changed. "
            f"{findings[0]['message']}",
            findings=findings[:_MOST_FINDINGS],
        )
    current = current_table(layer)
    taken = connection.execute(sa.select(current.c.key).where(current.c.key.in_(list(fresh)))).scalars().all()
    if taken:
        raise FeatureExists(
            f"Collection {layer.name} has a feature {taken[0][:80]!r} already; change it instead of creating it.",
            action=fresh[taken[0]],
        )


def _misplaced(layer: RowLayer, edit: Edit, row: edit_tables.LandedRow, editor: Editor) -> Iterator[dict[str, Any]]:
    if edit.key is not None and row.key != edit.key:
        yield _flaw(edit, "key", "The key is the feature's id and cannot be changed; delete it and create another one.")
    if row.clearance > editor.clearance:
        message = "The row would have a clearance above your own, so that you could not see it any more."
        yield _flaw(edit, "clearance", message, layer.row_clearance)


def _flaw(edit: Edit, rule: str, message: str, attribute: str | None = None) -> dict[str, Any]:
    return {"action": edit.place, "rule": rule, "property": attribute, "message": message, "place": None}


def _write(
    connection: sa.Connection,
    layer: RowLayer,
    edits: Sequence[Edit],
    rows: tuple[Mapping[str, edit_tables.Current], Mapping[int, edit_tables.LandedRow]],
    judged: Judged | None,
    who: tuple[Editor, SourceFile],
) -> Applied:
    (before, landed), (editor, source) = rows, who
    gone = [before[e.key].fid for e in edits if e.action == "delete" and e.key is not None]
    fresh = [e.place for e in edits if e.action == "insert"]
    changed = {
        e.place: before[e.key].fid
        for e in edits
        if e.key is not None and e.place in landed and landed[e.place].differs(before[e.key])
    }
    flaws = judged.flaws if judged is not None else ()
    if not (gone or fresh or changed):
        edit_tables.drop(connection)
        kept = [Written(e.place, e.action, e.key, before[e.key].edition) for e in edits if e.key is not None]
        return Applied(None, tuple(kept), flaws)
    kept_source = {"source": source.name, "sha256": source.sha256, "size": source.size, "mapping": MAPPING}
    number = begin_edition(connection, layer, kind="edit", principal=editor.principal, **kept_source)
    edit_tables.write(connection, layer, number, (gone, fresh, changed))
    edit_tables.drop(connection)
    keys = [landed[place].key for place in (*fresh, *changed)]
    # Before former versions are closed: figures take rows off where they were seen until now.
    extent = figures.follow(connection, layer, number, keys)
    undo.raise_clearance(connection, layer, number)
    indexes.ensure(connection, layer)
    counts = Counts(len(fresh), len(changed), len(gone))
    close_edition(connection, layer, counts, _report(layer, source, judged, number, counts), extent)
    return Applied(number, tuple(_outcome(e, before, landed, changed, number) for e in edits), flaws)


def _outcome(
    edit: Edit,
    before: Mapping[str, edit_tables.Current],
    landed: Mapping[int, edit_tables.LandedRow],
    changed: Mapping[int, int],
    number: int,
) -> Written:
    if edit.key is None:
        return Written(edit.place, edit.action, landed[edit.place].key, number)
    if edit.action == "delete":
        return Written(edit.place, edit.action, edit.key, None)
    return Written(edit.place, edit.action, edit.key, number if edit.place in changed else before[edit.key].edition)


def _report(layer: RowLayer, source: SourceFile, judged: Judged | None, number: int, counts: Counts) -> IngestReport:
    nothing = ReadSummary(driver="edit", read=0, good=0, bad=0, not_selected=0)
    summary = judged.summary if judged is not None else nothing
    return IngestReport(
        layer=layer.id,
        source=source.name,
        mapping=MAPPING,
        sha256=source.sha256,
        size=source.size,
        edition=number,
        read=summary.read,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=summary.read - counts.inserted - counts.updated,
        quarantined=0,
        not_selected=0,
        deleted=counts.deleted,
        seconds=0.0,
        summary=summary,
    )
