"""Load reports as the service would give them, for tests of their page."""

from __future__ import annotations

import datetime as dt
from typing import Any

from geoservice.loads.document import LoadReport

MOMENT = dt.datetime(2026, 5, 1, 8, 30, tzinfo=dt.UTC)
COUNTS = {
    "read": 200_000,
    "inserted": 150_000,
    "updated": 49_000,
    "unchanged": 997,
    "quarantined": 3,
    "not_selected": 0,
    "deleted": 12,
    "repaired": 5,
    "balanced": True,
}


def load_report(word: str = "text", **changes: Any) -> dict[str, Any]:
    """A full report in which every free text is `word`; keyword arguments replace members."""
    values: dict[str, Any] = {
        "number": 7,
        "collection": "spot",
        "titles": {"zh": word, "en": word},
        "outcome": "loaded",
        "view": "full",
        "started": MOMENT,
        "finished": MOMENT + dt.timedelta(seconds=12.5),
        "seconds": 12.5,
        "edition": {"number": 4, "committed": MOMENT, "kind": "load"},
        "job": 9,
        "loaded_by": word,
        "source": source(word),
        "tools": {"gdal": "3.6.2", word: word},
        "counts": COUNTS,
        "findings": [finding(word, "error"), {**finding(word, "warning"), "places": []}],
        "profile": profiles(word),
        "extent": (105.0, 38.0, 105.5, 38.4),
        "samples": samples(word),
        "former": {"number": 6, "edition": 3, "finished": MOMENT, "counts": {**COUNTS, "read": 199_000}},
        "links": [{"href": "https://geo.example.org/base/loads/7?f=html", "rel": "self", "type": "text/html"}],
        **changes,
    }
    return LoadReport.model_validate(values).model_dump(mode="json")


def source(word: str) -> dict[str, Any]:
    return {
        "name": word,
        "size": 123_456_789,
        "sha256": "ab" * 32,
        "mapping": word,
        "driver": word,
        "crs": word,
        "reference": {
            "crs": word,
            "how": "zone-number",
            "by": "person",
            "confidence": 0.95,
            "datum": "xian1980",
            "zones": [{"number": 39, "width": 3, "meridian": 117, "crs": word, "rows": 12_000}],
        },
        "encoding": word,
        "owner": word,
        "received": MOMENT,
        "unmapped_fields": (word,),
        "facts": {word: word},
    }


def finding(word: str, severity: str) -> dict[str, Any]:
    return {
        "rule": "coverage-overlap",
        "title": {"zh": "面与面重叠", "en": "Surfaces overlap"},
        "severity": severity,
        "count": 3,
        "rate": 0.000015,
        "measure": {"number": 11, "element": word},
        "message": word,
        "rows": (1, 2),
        "places": ((105.1, 38.1), (105.2, 38.3)),
        "samples": (word,),
    }


def profiles(word: str) -> list[dict[str, Any]]:
    shared = {"title": {"zh": word, "en": word}, "rows": 1000, "nulls": 10, "unit": word}
    values = [{"value": word, "count": 600, "title": {"zh": word, "en": word}}, {"value": "b", "count": 300}]
    return [
        {**shared, "attribute": "a", "type": "code", "list": word, "distinct": 9, "values": values, "others": 90},
        {
            **shared,
            "attribute": "b",
            "type": "number",
            "minimum": -1.5,
            "maximum": 7.25,
            "histogram": {"edges": (-2.0, 0.0, 2.0, 4.0, 6.0, 8.0), "counts": (1, 0, 500, 400, 89)},
        },
        {
            **shared,
            "attribute": "c",
            "type": "date",
            "minimum": "2026-01-01",
            "maximum": "2026-03-01",
            "timeline": {"unit": "month", "labels": ("2026-01", "2026-02", "2026-03"), "counts": (500, 0, 490)},
        },
        {**shared, "attribute": "d", "type": "text"},
    ]


def samples(word: str) -> dict[str, Any]:
    row = {"id": 1, "row": 17, "reason": word, "state": "open", "raw": f'{{"name": "{word}", "n": null}}'}
    repair = {"row": 4, "rule": "valid-geometry", "before": word, "after": word, "area_change": -0.25}
    reasons = [{"reason": word, "count": 2, "first": row}]
    return {
        "reasons": reasons,
        "quarantine": [row, {**row, "raw": word}],
        "quarantine_total": 3,
        "quarantine_open": 2,
        "repairs": [repair],
        "repairs_total": 5,
    }
