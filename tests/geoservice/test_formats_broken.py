"""What cannot be written whole fails: no format passes a file off as a result that was cut."""

from __future__ import annotations

import json
import subprocess
import sys

from geoservice.formats.known import EXPORT_FORMATS

PATIENCE = 120.0


def test_every_format_fails_where_there_is_no_room() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.cramped"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == EXPORT_FORMATS.keys()
    assert [form for form, error in found.items() if error is None] == []
