"""One export in a process of its own, as a worker makes it, so that its memory can be watched from outside.

Arguments: a JSON object with `home` (state directory of the database), `folder` (where the file goes) and `inputs`
(those of the process `export`). Prints one with `seconds` and `rows`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from geoservice.db.provision import open_database
from geoservice.exports.run import RESULT, run
from geoservice.exports.wish import ExportInputs
from geoservice.jobs.execute import begun
from geoservice.settings import Settings
from layers.access import ANONYMOUS
from layers.catalog import read_catalog


def main(text: str) -> str:
    """Export for the public; what came of it, as JSON."""
    asked = json.loads(text)
    database, catalog = open_database(Settings(home=Path(asked["home"]))), read_catalog(None)
    started = time.perf_counter()
    with begun(database, catalog, ANONYMOUS, (Path(asked["folder"]), None), lambda done, total: None) as execution:
        run(execution, ExportInputs(**asked["inputs"]))
    seconds = time.perf_counter() - started
    return json.dumps({"seconds": seconds, "rows": execution.outputs[RESULT].facts["rows"]})


if __name__ == "__main__":
    print(main(sys.argv[1]))
