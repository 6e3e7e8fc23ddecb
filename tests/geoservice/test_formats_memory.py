"""Files are written in constant memory: nine times the rows take no more than a few batches more."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.appetite import BATCH_BYTES, FEW, FORMS, MANY

PATIENCE = 240.0
FEW_BATCHES = 4 * BATCH_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="what a program had at most is read from /proc")
def test_files_are_written_in_constant_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.appetite"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout)
    assert {form: grown[form] for form in FORMS if grown[form] > FEW_BATCHES} == {}
    assert grown["hoard"] > (MANY - FEW) * BATCH_BYTES / 2 > FEW_BATCHES
