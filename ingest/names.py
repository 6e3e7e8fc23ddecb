"""Names of source fields matched to the names that are wanted: whatever their case, and where the format cut them.

The table of a Shapefile keeps ten bytes of a name: three Hanzi and a third of the next in UTF-8, five Hanzi in GBK,
and `population_2020` as `population` or, beside another such name, `populati_1`. A field takes the place of a wanted
name only when there is exactly one that it can stand for; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.readers.source import Chunk, Source
from layers.errors import SourceMismatch

_WIDTH = 10
"""Bytes of a name in a dBase table (dBase III file structure, field descriptor array)."""
_NUMBERED = re.compile(rb"^(.{1,8}?)(_[0-9]|_?[0-9]{2})$", re.DOTALL)
"""How GDAL and others keep cut names apart: eight bytes and a number."""


def named(source: Source, plan: IngestPlan, notes: Notes) -> Source:
    """The source with its fields under the names that the mapping and the layer want.

    Raises:
        SourceMismatch: When a cut name may stand for several wanted ones.
    """
    if source.any_field:
        return source
    wanted = tuple(dict.fromkeys(_wanted(plan)))
    new = match(source.fields, wanted, notes)
    if source.raw_names:
        new |= _uncut(source, _Wishes(plan, wanted, new), notes)
    if not new:
        return source
    fields = tuple(new.get(f, f) for f in source.fields)
    return replace(source, fields=fields, chunks=lambda: _renamed(source.chunks(), new))


def match(fields: Iterable[str], wanted: Iterable[str], notes: Notes) -> dict[str, str]:
    """Fields that bear a wanted name in another case -> that name; only where no field bears it exactly."""
    present = set(fields)
    missing = [w for w in wanted if w not in present]
    found: dict[str, str] = {}
    for name in missing:
        alike = [f for f in present if f.lower() == name.lower() and f not in found]
        if len(alike) == 1 and alike[0] not in set(wanted):
            found[alike[0]] = name
            message = f"The source field {alike[0]!r} was taken for {name!r}, from which only its case differs."
            notes.add("field-case", "info", message, count=1)
    return found


def _wanted(plan: IngestPlan) -> Iterator[str]:
    """Names of source fields that the mapping uses, and of attributes that nothing else fills."""
    mapping = plan.mapping
    yield from mapping.fields
    yield from (*mapping.select, *mapping.any_of, *mapping.template_fields())
    if mapping.address is not None:
        yield mapping.address.field
    yield from (name for name in plan.layer.attributes if name not in _filled(plan))


def _filled(plan: IngestPlan) -> frozenset[str]:
    mapping = plan.mapping
    return frozenset({*mapping.fields.values(), *mapping.constants, *mapping.compose, *mapping.lookup})


def _titles(plan: IngestPlan) -> dict[str, str]:
    """Title of an attribute in either language -> the attribute, for attributes that nothing else fills."""
    titles: dict[str, str] = {}
    for name, attribute in plan.layer.attributes.items():
        if attribute.title is not None and name not in _filled(plan):
            titles |= {attribute.title.zh: name, attribute.title.en: name}
    return titles


class _Wishes:
    """Names that no field bears: what a cut field may stand for."""

    def __init__(self, plan: IngestPlan, wanted: tuple[str, ...], met: Mapping[str, str]) -> None:
        self.wanted = frozenset(wanted)
        self.met = met
        self._targets = plan.mapping.fields
        self.whole = {name: name for name in wanted} | _titles(plan)

    def unmet(self, fields: tuple[str, ...]) -> dict[str, str]:
        """Whole name or title -> the name to give a field that stands for it."""
        present = {*fields, *self.met.values()}
        return {whole: name for whole, name in self.whole.items() if name not in present}

    def apart(self, names: Iterable[str]) -> list[str]:
        """Names that feed different attributes; several source fields of one attribute are one wish."""
        found: dict[str, str] = {}
        for name in names:
            found.setdefault(self._targets.get(name, name), name)
        return sorted(found.values())


def _uncut(source: Source, wishes: _Wishes, notes: Notes) -> dict[str, str]:
    """Fields whose names were cut -> the wanted names that they stand for."""
    encoding, raw_names = source.encoding or "utf-8", source.raw_names
    unmet = wishes.unmet(source.fields)
    found: dict[str, str] = {}
    for field, raw in zip(source.fields, raw_names, strict=True):
        if field in wishes.wanted or field in wishes.met:
            continue
        meant = wishes.apart(name for whole, name in unmet.items() if _may_be(raw, whole, encoding, raw_names))
        if len(meant) > 1:
            raise SourceMismatch(
                f"The source field {field!r} is cut and may stand for {', '.join(meant)}; name it in the fields of "
                "the source mapping.",
                field=field,
                candidates=meant,
            )
        if meant:
            found[field] = meant[0]
    _refuse_rivals(found)
    for field, name in found.items():
        message = (
            f"The source field {field!r} was taken for {name!r}: it is what the format keeps of its name or title."
        )
        notes.add("truncated-name", "info", message, count=1)
    return found


def _may_be(raw: bytes, name: str, encoding: str, all_raw: tuple[bytes, ...]) -> bool:
    """Whether a field may be the cut form of a name: its first bytes, or fewer of them and a number."""
    whole = name.encode(encoding, "replace").lower()
    start = whole[:_WIDTH]
    # Some programs leave out the half of a character, others keep it.
    if raw.lower() in (start, start.decode(encoding, "ignore").encode(encoding)):
        return True
    numbered = _NUMBERED.match(raw)
    if numbered is None or len(raw) != _WIDTH or len(whole) <= _WIDTH:
        return False
    # A number is only added where another field has the same first ten bytes.
    return start.startswith(numbered.group(1).lower()) and any(start == other.lower() for other in all_raw)


def _refuse_rivals(found: Mapping[str, str]) -> None:
    for field, name in found.items():
        rivals = sorted(f for f, n in found.items() if n == name)
        if len(rivals) > 1:
            raise SourceMismatch(
                f"The source fields {', '.join(rivals)} may each stand for {name!r}; name one in the fields of the "
                "source mapping.",
                field=field,
                candidates=rivals,
            )


def _renamed(chunks: Iterable[Chunk], new: Mapping[str, str]) -> Iterator[Chunk]:
    for chunk in chunks:
        chunk.fields = {new.get(name, name): column for name, column in chunk.fields.items()}
        yield chunk
