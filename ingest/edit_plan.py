"""How edited rows are judged: the plan of a layer's edits, and what its checks need to know of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from ingest.edit import MAPPING
from ingest.job import IngestPlan, LoadOptions, Part, ReadSummary
from ingest.references import Box, needed
from ingest.workbench import Judged, Workbench
from layers import checks
from layers.codelist import CodeList
from layers.crs import STORAGE_SRID, parse_crs, storage_transformer
from layers.model import RowLayer, codelists_of
from layers.sources import SourceMapping

STORED = f"EPSG:{STORAGE_SRID}"


def edit_plan(layer: RowLayer, codelists: Mapping[str, CodeList], *, repair: bool) -> IngestPlan:
    """The plan by which edited rows of a layer are judged: attributes under their names, rules about single rows.

    Args:
        layer: The layer.
        codelists: All code lists that there are.
        repair: Whether invalid geometries are mended; otherwise their rows are refused.
    """
    # Rules about rows together: a few rows alone can neither keep nor break them.
    single = tuple(rule for rule in layer.checks if not isinstance(rule, checks.SetRule))
    alone = layer.model_copy(update={"checks": single})
    lists = {name: codelists[name] for name in codelists_of(layer)}
    mapping, options = SourceMapping(match=("*",)), LoadOptions(repair=repair)
    # As a part of something: a few rows alone say nothing about their source as a whole.
    return IngestPlan(alone, Path("edit.geojson"), MAPPING, mapping, lists, options=options, part=Part(0, 1))


def judge_with(
    bench: Workbench, plan: IngestPlan, crs: str
) -> Callable[[Sequence[Mapping[str, Any]], sa.Connection], Judged]:
    """A judge of rows for `ingest.edit.apply`.

    Args:
        bench: Where they are judged.
        plan: See `edit_plan`.
        crs: CRS of the geometries that come with the request, as `EPSG:n`, coordinates x, y.
    """

    def judge(rows: Sequence[Mapping[str, Any]], connection: sa.Connection) -> Judged:
        parts = []
        for system, members in _by_system(rows, crs):
            files = needed(connection, _layer(plan), _named(members), _box(members, system))
            parts.append(bench.judge(plan, members, system, files))
        return parts[0] if len(parts) == 1 else _together(parts)

    return judge


def _layer(plan: IngestPlan) -> RowLayer:
    layer: Any = plan.layer
    found: RowLayer = layer
    return found


def _by_system(rows: Sequence[Mapping[str, Any]], crs: str) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Rows whose geometry comes with the request, and rows that keep the one in storage."""
    own = [row for row in rows if row.get("geometry") is not None and crs != STORED]
    rest = [row for row in rows if row.get("geometry") is None or crs == STORED]
    yield from ((system, members) for system, members in ((crs, own), (STORED, rest)) if members)


def _named(rows: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The texts that the values of rows may have, by attribute."""
    named: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row["properties"].items():
            if value is not None:
                texts = named.setdefault(name, set())
                texts.add(str(value).strip())
                if isinstance(value, float) and value.is_integer():
                    texts.add(str(int(value)))
    return named


def _box(rows: Iterable[Mapping[str, Any]], crs: str) -> Box | None:
    """West, south, east, north (degrees) of the geometries that come with rows; None without any."""
    points = [point for row in rows for point in _points(row.get("geometry"))]
    if not points:
        return None
    xs, ys = [x for x, _ in points], [y for _, y in points]
    box = (min(xs), min(ys), max(xs), max(ys))
    way = storage_transformer(parse_crs(crs))
    return box if way is None else way.transform_bounds(*box)


def _points(geometry: Any) -> Iterator[tuple[float, float]]:
    if isinstance(geometry, dict):
        yield from _points(geometry.get("coordinates"))
        yield from _points(geometry.get("geometries"))
    elif isinstance(geometry, list):
        if len(geometry) > 1 and all(isinstance(n, int | float) for n in geometry[:2]):
            yield float(geometry[0]), float(geometry[1])
        else:
            for part in geometry:
                yield from _points(part)


def _together(parts: Sequence[Judged]) -> Judged:
    first = parts[0].summary
    counts = {name: sum(getattr(p.summary, name) for p in parts) for name in ("read", "good", "bad", "repaired")}
    findings = tuple(finding for part in parts for finding in part.summary.findings)
    summary: ReadSummary = first.model_copy(update={**counts, "findings": findings})
    return Judged(pa.concat_tables([p.rows for p in parts]), summary, tuple(f for p in parts for f in p.flaws))
