"""The statements that find candidates in the index of names. Each takes the tables up to the asker's clearance.

Which of them runs is decided by counts, not by the planner's guess: a beginning that few terms have is looked up whole,
one that many have is read in the order of importance; a small area or the surroundings of a point are read name by
name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from geoservice.gazetteer.rank import WEIGHTS
from layers.access import Clearance
from layers.crs import STORAGE_SRID
from layers.system import TERM_HEADS, name_tables, term_tables

MOST_TERMS = 4_000
"""Terms with a beginning; from that many on it counts as frequent."""
MOST_NAMES = 6_000
"""Names of an area that are looked through one by one."""
MOST_AROUND = 1_000
"""Names around a point that are looked through one by one."""
MOST_ALIKE = 2_000
"""Terms with a beginning that are compared letter by letter, the most important ones."""
LIKENESS = 0.35
"""Share of three-letter pieces from which on texts count as alike."""
CANDIDATES = 240
LAST = "\U0010ffff"
_PLAIN = ("id", "layer", "fid", "attribute", "name", "terms", "sound", "importance", "adcode")


def head_length(text: str) -> int:
    """The longest indexed beginning that a text has."""
    return max(n for n in TERM_HEADS if n <= len(text))


def count_terms(clearance: Clearance) -> sa.Select[Any]:
    """How many terms begin with a text, counted up to `MOST_TERMS` per table."""
    parts = [
        sa.select(sa.literal(1).label("one")).where(*begins(t)).limit(MOST_TERMS).subquery() for t in _terms(clearance)
    ]
    together = sa.union_all(*(sa.select(p.c.one) for p in parts)).subquery("counted")
    return sa.select(sa.func.count()).select_from(together)


def rare(clearance: Clearance, *, filtered: bool, within: bool, near: bool) -> sa.Select[Any]:
    """Names of which a term has a beginning that few have; the best of them by a rough score."""

    def part(names: sa.Table, terms: sa.Table) -> sa.Select[Any]:
        rough = _rough(terms, near=near).label("rough")
        found = sa.select(terms.c.name, rough).where(*begins(terms))
        return _joined(names, _best(found, MOST_TERMS if filtered or within else CANDIDATES), within=within)

    return _together(clearance, part)


def frequent(clearance: Clearance, head: int, *, filtered: bool, within: bool) -> sa.Select[Any]:
    """Names of which a term has a beginning that many have: exact ones first, then the most important ones."""

    def part(names: sa.Table, terms: sa.Table) -> sa.Select[Any]:
        same = terms.c.term == text("text")
        exact = sa.select(terms.c.name, (terms.c.importance + 1).label("rough")).where(same)
        headed = _by_importance(terms, head)
        rest = sa.select(headed.c.name, headed.c.rough).where(sa.func.starts_with(headed.c.term, text("text")))
        some = MOST_TERMS if filtered or within else CANDIDATES
        parts = [p.order_by(sa.desc("rough")).limit(some).subquery() for p in (exact.limit(some), rest)]
        both = sa.union_all(*(sa.select(p.c.name, p.c.rough) for p in parts)).subquery("both")
        return _joined(names, _best(sa.select(both), 2 * some), within=within)

    return _together(clearance, part)


def count_inside(clearance: Clearance) -> sa.Select[Any]:
    """How many names lie in a division, counted up to `MOST_NAMES` per table."""
    parts = [sa.select(n.c.id).where(_inside(n)).limit(MOST_NAMES).subquery() for n in _names(clearance)]
    together = sa.union_all(*(sa.select(p.c.id) for p in parts)).subquery("counted")
    return sa.select(sa.func.count()).select_from(together)


def one_by_one(clearance: Clearance, *, around: bool) -> sa.Select[Any]:
    """Names in a division, or the nearest to a point, of which a term has a beginning."""

    def part(names: sa.Table, _: sa.Table) -> sa.Select[Any]:
        inner = sa.select(names)
        if around:
            inner = inner.where(names.c.geom.is_not(None)).order_by(_plain(names.c.geom).op("<->")(_point()))
            inner = inner.limit(MOST_AROUND)
        else:
            inner = inner.where(_inside(names)).limit(MOST_NAMES)
        some = inner.subquery("some")
        hit = some.c.terms.like(text("pattern"))
        return _columns(some, some.c.importance).where(hit, _known(some)).limit(CANDIDATES)

    return _together(clearance, part)


def containing(clearance: Clearance, *, within: bool) -> sa.Select[Any]:
    """Names that have a text somewhere in their sound."""

    def part(names: sa.Table, _: sa.Table) -> sa.Select[Any]:
        wanted = [names.c.sound.like(text("pattern")), _known(names), *([_inside(names)] if within else [])]
        some = sa.select(names).where(*wanted).limit(4 * CANDIDATES).subquery("some")
        return _columns(some, some.c.importance)

    return _together(clearance, part)


def slipped(clearance: Clearance, *, within: bool) -> sa.Select[Any]:
    """Names of which a term is one of the texts that a slip of the keyboard may have stood for."""

    def part(names: sa.Table, terms: sa.Table) -> sa.Select[Any]:
        meant = terms.c.term == sa.any_(sa.bindparam("slips", type_=ARRAY(sa.Text())))
        found = sa.select(terms.c.name, terms.c.importance.label("rough")).where(meant)
        return _joined(names, _best(found, MOST_TERMS), within=within)

    return _together(clearance, part)


def alike(clearance: Clearance, head: int, *, within: bool) -> sa.Select[Any]:
    """Names of which a term begins like the text and shares enough three-letter pieces with it.

    The most important terms with that beginning are compared, however many there are.
    """

    def part(names: sa.Table, terms: sa.Table) -> sa.Select[Any]:
        headed = _by_importance(terms, head, MOST_ALIKE)
        likeness = sa.func.similarity(headed.c.term, text("sound"))
        found = sa.select(headed.c.name, likeness.label("rough")).where(likeness >= LIKENESS)
        return _joined(names, _best(found, MOST_ALIKE), within=within)

    return _together(clearance, part)


def _names(clearance: Clearance) -> tuple[sa.Table, ...]:
    return name_tables[: clearance + 1]


def _terms(clearance: Clearance) -> tuple[sa.Table, ...]:
    return term_tables[: clearance + 1]


def _together(clearance: Clearance, part: Callable[[sa.Table, sa.Table], sa.Select[Any]]) -> sa.Select[Any]:
    """The best candidates of all tables that a clearance may read."""
    parts = [
        part(n, t).order_by(sa.desc("rough")).limit(CANDIDATES)
        for n, t in zip(_names(clearance), _terms(clearance), strict=True)
    ]
    return sa.select(sa.union_all(*(sa.select(p.subquery()) for p in parts)).subquery("candidates"))


def _joined(names: sa.Table, found: sa.Subquery, *, within: bool) -> sa.Select[Any]:
    wanted = [_known(names), *([_inside(names)] if within else [])]
    return _columns(names, found.c.rough).join_from(found, names, names.c.id == found.c.name).where(*wanted)


def _best(found: sa.Select[Any], most: int) -> sa.Subquery:
    """The best names found, in order: whoever joins them to the names may stop when it has enough."""
    return found.order_by(sa.desc("rough")).limit(most).subquery("found")


def _by_importance(terms: sa.Table, head: int, most: int | None = None) -> sa.Subquery:
    """Terms that begin with as many letters of the text as the index of that length has, the most important first.

    OFFSET 0 fences it: conditions from outside would let the planner gather all terms of the text in the order of the
    alphabet, tens of thousands of pages, to sort them and take a few.
    """
    beginning = sa.func.left(terms.c.term, sa.literal_column(str(head))) == text("head")
    found = sa.select(terms.c.name, terms.c.term, terms.c.importance.label("rough")).where(beginning)
    return found.order_by(terms.c.importance.desc()).limit(most).offset(sa.literal_column("0")).subquery("headed")


def _columns(names: sa.FromClause, rough: sa.ColumnElement[Any]) -> sa.Select[Any]:
    geom = _plain(names.c.geom)
    spot = (sa.func.ST_X(geom).label("lon"), sa.func.ST_Y(geom).label("lat"))
    return sa.select(*(names.c[name] for name in _PLAIN), *spot, rough.label("rough"))


def text(name: str) -> sa.BindParameter[str]:
    """A text that is bound by its name."""
    return sa.bindparam(name, type_=sa.Text())


def _plain(geom: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(geom, sa.types.NullType())


def begins(terms: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Terms that begin with the bound text: those from it on, up to the last that can follow it."""
    return (terms.c.term >= text("text"), terms.c.term < text("last"))


def _known(names: sa.FromClause) -> sa.ColumnElement[bool]:
    """Names of the layers that the asker may see and asks for."""
    return names.c.layer == sa.any_(sa.bindparam("layers", type_=ARRAY(sa.Text())))


def _point() -> sa.ColumnElement[Any]:
    sides: list[sa.ColumnElement[Any]] = [sa.bindparam(name, type_=sa.Double()) for name in ("lon", "lat")]
    return sa.func.ST_SetSRID(sa.func.ST_MakePoint(*sides), STORAGE_SRID)


def _inside(names: sa.FromClause) -> sa.ColumnElement[bool]:
    """Names in a division: by their code, or where they have none by their place."""
    shape = sa.func.ST_GeomFromEWKB(sa.bindparam("shape", type_=sa.LargeBinary()))
    geom = _plain(names.c.geom)
    coded = sa.and_(names.c.adcode >= text("code"), names.c.adcode < text("code_end"))
    return sa.or_(coded, sa.and_(names.c.adcode.is_(None), geom.op("&&")(shape), sa.func.ST_Intersects(geom, shape)))


def _rough(terms: sa.Table, *, near: bool) -> sa.ColumnElement[Any]:
    """A score that is good enough to choose candidates by."""
    form = sa.case({int(form): weight for form, weight in WEIGHTS.items()}, value=terms.c.form, else_=0.5)
    share = sa.cast(sa.func.length(text("text")), sa.REAL()) / sa.func.length(terms.c.term)
    score: sa.ColumnElement[Any] = 0.4 * terms.c.importance + 0.6 * form * share
    if near:
        lon: sa.ColumnElement[Any] = sa.bindparam("lon", type_=sa.Double())
        lat: sa.ColumnElement[Any] = sa.bindparam("lat", type_=sa.Double())
        east = (terms.c.lon - lon) * sa.func.cosd(lat)
        north = terms.c.lat - lat
        away = sa.func.sqrt(east * east + north * north)
        score += sa.func.coalesce(0.5 / (1 + 5 * away), 0.0)
    return score
