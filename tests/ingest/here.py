"""Reading with GDAL's drivers limited, in a fresh process that reads many files: for tests of thousands of files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.job import IngestPlan
from ingest.sandbox import environment
from ingest.wire import plan_to_json

_CODE = """
import json, shutil, sys, traceback
from pathlib import Path
from ingest.pipeline import deliver
class Sink:
    closed = False
    def write(self, data): return len(data)
    def flush(self): pass
    def close(self): pass
    def writable(self): return True
    def readable(self): return False
    def seekable(self): return False
for line in sys.stdin:
    order = json.loads(line)
    scratch = Path(order["scratch"])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    for file in order["files"]:
        (scratch / Path(file).name).symlink_to(file)
    try:
        outcome = deliver(order["plan"], str(scratch / Path(order["files"][0]).name), Sink())
    except Exception as error:
        outcome = {"escaped": traceback.format_exc()}
    print(json.dumps(outcome), flush=True)
"""


class Reader:
    """A process that reads one source after the other, with the environment of the confined child.

    It has no other confinement than that: a file that ends the process ends the test, which is what fuzzing asks for.
    """

    def __init__(self, directory: Path) -> None:
        """Start the process; `directory` is where it may write."""
        self._scratch = directory / "scratch"
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(directory),
            text=True,
        )

    def read(self, plan: IngestPlan, files: Sequence[Path]) -> dict[str, Any]:
        """The summary or the error that the pipeline delivers for a source and its siblings.

        Raises:
            AssertionError: When the process died on it.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"plan": plan_to_json(plan), "files": [str(f) for f in files], "scratch": str(self._scratch)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the reader died on {files[0].name} with {self._process.wait()}"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.kill()
        self._process.wait()
