"""The sample county in its smallest form, written once for all processes of a run: writing it takes ten seconds."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path

from geoservice.settings import Settings
from ingest.sample.manifest import SampleManifest
from ingest.sample.write import write_sample

PARCELS = 500
_TRUTH = "truth.json"


@dataclass(frozen=True)
class WrittenCounty:
    """The files of the county, for reading alone, and what its makers know of it."""

    folder: Path
    truth: SampleManifest

    def lay_out(self, settings: Settings) -> None:
        """Put a copy where the service looks for the sample before it writes one."""
        home = settings.home / "sample" / str(PARCELS)
        if not home.exists():
            shutil.copytree(self.folder, home)
            (home / "complete").touch()


def written_county(shared: Path) -> WrittenCounty:
    """The county in a folder that the processes of a run share; whoever comes first writes it, the others wait."""
    folder, truth = shared / "county", shared / _TRUTH
    with (shared / "county.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not truth.exists():
            shutil.rmtree(folder, ignore_errors=True)
            truth.write_text(write_sample(folder, PARCELS).model_dump_json(), encoding="utf-8")
    return WrittenCounty(folder, SampleManifest.model_validate_json(truth.read_text(encoding="utf-8")))
