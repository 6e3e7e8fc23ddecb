"""What happens inside the confined child that judges the rows of several readers together."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from ingest.checks.settle import settle
from ingest.job import ReadSummary
from ingest.notes import Notes
from ingest.staging import PART
from ingest.wire import error_to_json, plan_from_json
from layers.errors import GeoError, SourceUnreadable
from layers.model import VectorLayer


def deliver(plan_json: dict[str, Any], file: str, rows: IO[bytes]) -> dict[str, Any]:
    """Judge the evidence of all parts and name the rows to be kept out in a file of the directory.

    Args:
        plan_json: The plan as `ingest.wire.plan_to_json` wrote it.
        file: The child's directory, with one link per part.
        rows: Not used: verdicts go into a file.

    Returns:
        `{"summary": ...}` with `late` and findings, or the error in the form of `ingest.wire.error_to_json`.
    """
    rows.flush()
    plan, directory, notes = plan_from_json(plan_json), Path(file), Notes()
    parts = sorted(directory.glob(f"{PART}*"))
    try:
        late = settle(plan.layer, parts, directory, notes) if isinstance(plan.layer, VectorLayer) else 0
    except GeoError as error:
        return error_to_json(error)
    except MemoryError:
        limit = plan.limits.memory >> 20
        return error_to_json(SourceUnreadable(f"Judging rows together needs more than the {limit} MiB allowed."))
    summary = ReadSummary(driver="", read=0, good=0, bad=0, not_selected=0, late=late, findings=notes.findings())
    return {"summary": summary.model_dump(mode="json")}
