"""Judging edited rows, inside the confined child: the same mapping, projection, repair and checks as for any source."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from ingest.checks.tell import places_of
from ingest.job import IngestPlan
from ingest.notes import Notes
from ingest.pipeline import Pipeline
from ingest.readers.source import Chunk, Request, Source
from ingest.rows import Breach, Rows
from ingest.wire import batch_schema, error_to_json, plan_from_json
from layers.errors import GeoError
from layers.model import RasterLayer, VectorLayer

DRIVER = "GeoJSON"
_PLANS = 32
"""Plans that a child remembers; a plan travels once, then its name is enough."""


class Bench:
    """Judges tasks one after the other and remembers the plans they belong to."""

    def __init__(self, directory: str) -> None:
        """Work in a directory of its own."""
        self._directory = directory
        self._plans: dict[str, IngestPlan] = {}

    def judge(self, task: dict[str, Any]) -> tuple[bytes, bytes]:
        """Judge the rows of a task.

        Args:
            task: `plan` (its name), `definition` (the plan itself, when it comes for the first time), `crs` of the
                geometries, `rows` (`position`, `properties`, `geometry` as GeoJSON or `wkb` in base64), and `files`
                that checks of other layers need (name -> base64).

        Returns:
            A JSON object with `summary` and `findings`, `error`, or `unknown` when the plan has been forgotten; and
            the judged rows as an Arrow stream in the schema of `ingest.wire.batch_schema` (empty after an error).
        """
        if task.get("definition") is not None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            self._plans[task["plan"]] = plan_from_json(task["definition"])
        plan = self._plans.get(task["plan"])
        if plan is None:
            return json.dumps({"unknown": True}).encode(), b""
        with tempfile.TemporaryDirectory(dir=self._directory) as folder:
            for name, content in task.get("files", {}).items():
                Path(folder, name).write_bytes(base64.b64decode(content))
            try:
                return _judged(plan, task, Path(folder))
            except GeoError as error:
                return json.dumps(error_to_json(error)).encode(), b""


def _judged(plan: IngestPlan, task: dict[str, Any], folder: Path) -> tuple[bytes, bytes]:
    notes, listener = Notes(), _Listener()
    request = Request(folder / "rows", plan, folder, notes)
    # What libraries warn of is judged row by row: arithmetic on empty and non-finite coordinates.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = Pipeline(request, _source(plan, task), listener)
        buffer = io.BytesIO()
        with pa.ipc.new_stream(buffer, batch_schema(plan.layer)) as writer:
            for batch in pipeline.batches():
                writer.write_batch(batch)
    head = {"summary": pipeline.summary().model_dump(mode="json"), "findings": listener.findings}
    return json.dumps(head, ensure_ascii=False).encode("utf-8", "backslashreplace"), buffer.getvalue()


class _Listener:
    """Keeps for each row what is wrong with it: the rule, the attribute, the sentence, the place."""

    def __init__(self) -> None:
        self.findings: list[dict[str, Any]] = []

    def __call__(self, rows: Rows) -> None:
        """Take down the breaches of rows, and the sentences of refused rows that no breach explains."""
        by_row: dict[int, list[Breach]] = {row: [] for row in rows.bad}
        for breach in rows.breaches:
            for row in breach.rows:
                by_row.setdefault(int(row), []).append(breach)
        for row, breaches in by_row.items():
            sentence = rows.bad.get(row)
            for breach in breaches:
                # What is said of a row as a whole may speak of other attributes, which not everybody may see.
                told = sentence if sentence is not None and len(breaches) == 1 else breach.message
                self._add(rows, row, breach, told)
            if not breaches:
                self._add(rows, row, _UNREADABLE, sentence or _UNREADABLE.message)

    def _add(self, rows: Rows, row: int, breach: Breach, sentence: str) -> None:
        places = places_of(rows.geometry, np.array([row], dtype=np.int64))
        self.findings.append(
            {
                "position": int(rows.position[row]),
                "rule": breach.rule,
                "severity": breach.severity,
                "property": breach.attribute,
                "sentence": sentence,
                "place": list(places[0]) if places else None,
            }
        )


_UNREADABLE = Breach("unreadable", "error", "The row cannot be read.", np.zeros(0, dtype=np.int64))


def _source(plan: IngestPlan, task: dict[str, Any]) -> Source:
    if isinstance(plan.layer, RasterLayer):
        raise TypeError(f"{plan.layer.id} is a raster layer")
    located = isinstance(plan.layer, VectorLayer)
    return Source(
        driver=DRIVER,
        fields=tuple(plan.layer.attributes),
        chunks=lambda: _chunks(task["rows"], tuple(plan.layer.attributes), located=located),
        crs=pyproj.CRS.from_user_input(task["crs"]) if located else None,
        has_geometry=located,
    )


def _chunks(rows: list[dict[str, Any]], names: tuple[str, ...], *, located: bool) -> Iterator[Chunk]:
    """Rows in chunks whose values have the same types; positions tell in which order they came."""
    rows = sorted(rows, key=lambda row: (_types(row), row["position"]))
    for _, alike in groupby(rows, key=_types):
        members = list(alike)
        columns = {name: pa.array([row["properties"].get(name) for row in members]) for name in names}
        fields = {n: pa.nulls(len(members), pa.string()) if pa.types.is_null(c.type) else c for n, c in columns.items()}
        chunk = Chunk(np.array([row["position"] for row in members], dtype=np.int64), fields)
        if located:
            chunk.geometry = np.full(len(members), None, dtype=object)
            for place, row in enumerate(members):
                _place(chunk, place, row)
        yield chunk


def _types(row: dict[str, Any]) -> str:
    return json.dumps([(name, type(value).__name__) for name, value in sorted(row["properties"].items())])


def _place(chunk: Chunk, place: int, row: dict[str, Any]) -> None:
    """The geometry of a row, or a complaint about what stands in its place."""
    if chunk.geometry is None:
        return
    if row.get("wkb") is not None:
        chunk.geometry[place] = shapely.from_wkb(base64.b64decode(row["wkb"]))
    elif row.get("geometry") is not None:
        found = _read(row["geometry"])
        if found is None:
            chunk.broken[place] = "The geometry is no GeoJSON geometry: its type and coordinates do not fit together."
        chunk.geometry[place] = found


def _read(geometry: dict[str, Any]) -> shapely.Geometry | None:
    try:
        found: shapely.Geometry | None = shapely.from_geojson(json.dumps(geometry), on_invalid="ignore")
    except (shapely.GEOSException, ValueError, TypeError):
        return None
    return found
