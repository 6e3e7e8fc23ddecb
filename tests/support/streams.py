"""Routes whose answers have no end: a test that reads every route whole leaves them to the tests of streams."""

from __future__ import annotations

STREAMS = ("/events", "/situation/stream")
"""Paths without parameters; `tests/contract/test_change_events.py` and `tests/geoservice/situation/test_stream.py` ask
them who hears what."""
ENDLESS = (*STREAMS, "/jobs/{job_id}/events")
