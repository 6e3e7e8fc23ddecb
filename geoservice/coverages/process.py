"""The process `coverage`: a raster clipped to a zone as one file, also where it is too large to wait for."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from geoservice.analysis.request import ZoneRequest, zone_request
from geoservice.coverages.errors import CoverageTooLarge
from geoservice.coverages.gathering import gathered_for
from geoservice.coverages.request import MOST_SIDE, CoverageRequest, crs_asked
from geoservice.coverages.write import COG, Coverage, laid_out, write
from geoservice.processes.model import Execution, Process
from layers.model import Text

RESULT = "file"
"""Name of the result."""
_SHORT = 200
_WAYS = ("zone", "bbox", "adcode", "alert", "feature", "sheet")


class CoverageInputs(BaseModel):
    """What is asked for; at most one of the ways to name a zone, none for everything."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    collection: str = Field(min_length=1, max_length=_SHORT, description="A raster collection.")
    zone: dict[str, Any] | str | None = Field(
        default=None, description="GeoJSON polygon (CRS84), or the id of a kept hazard zone."
    )
    bbox: list[float] | None = Field(
        default=None, min_length=4, max_length=6, description="west, south, east, north in degrees (CRS84)."
    )
    adcode: str | None = Field(default=None, max_length=_SHORT, description="Code of a division.")
    alert: str | None = Field(default=None, max_length=500, description="Identifier of an alert.")
    feature: dict[str, Any] | None = Field(default=None, description="A polygon: collection and id.")
    sheet: str | None = Field(default=None, max_length=60, description="Number of a map sheet (GB/T 13989).")
    crs: str | None = Field(default=None, max_length=_SHORT, description="CRS; default: that of the raster.")
    width: int | None = Field(default=None, ge=1, le=MOST_SIDE, description="Pixels from west to east.")
    height: int | None = Field(default=None, ge=1, le=MOST_SIDE, description="Pixels from north to south.")
    datetime: str | None = Field(default=None, max_length=_SHORT, description="Rasters that were taken then.")
    as_of: str | None = Field(default=None, max_length=_SHORT, alias="as-of", description="Rasters there were then.")
    edition: str | None = Field(default=None, max_length=_SHORT, description="Rasters that this edition left.")

    def request(self, max_vertices: int) -> CoverageRequest:
        """The same as a value.

        Raises:
            BadBody, BadGeometry, BadParameter, TooLarge: When a zone or the CRS is not acceptable.
        """
        ways = {name: value for name in _WAYS if (value := getattr(self, name)) is not None}
        zone: ZoneRequest | None = zone_request(ways, max_vertices) if ways else None
        return CoverageRequest(
            collection=self.collection,
            zone=zone,
            crs=crs_asked(self.crs),
            width=self.width,
            height=self.height,
            taken=self.datetime,
            as_of=self.as_of,
            edition=self.edition,
        )


def run(execution: Execution, inputs: CoverageInputs) -> None:
    """Make the file and publish it.

    Raises:
        UnknownLayer: When there is no such raster, or none that the principal may see.
        NoCoverage: When no cell has data there.
        CoverageTooLarge: When the file would be larger than is allowed, or than there is room for.
    """
    asked = inputs.request(execution.settings.max_zone_vertices)
    found = asyncio.run(gathered_for(execution, asked))
    coverage = laid_out(found, asked)
    _require_room(execution, coverage)
    path = write(coverage, execution.folder, execution.tell)
    edition = "" if coverage.about.edition is None else f"-{coverage.about.edition}"
    path = path.rename(path.with_name(f"{coverage.layer.name}{edition}{path.suffix}"))
    facts = {name: value for name, value in coverage.about.facts().items() if name not in ("clearance", "title")}
    size = {"width": coverage.grid.width, "height": coverage.grid.height, "length": path.stat().st_size}
    layers = (coverage.layer.name,)
    execution.publish(RESULT, path, COG, layers=layers, label=coverage.about.title.en, **facts, **size)


def _require_room(execution: Execution, coverage: Coverage) -> None:
    settings = execution.settings
    if coverage.size > settings.export_max_bytes:
        raise CoverageTooLarge(
            f"The cells take {coverage.size:,} bytes and at most {settings.export_max_bytes:,} are allowed; ask for a "
            "smaller zone or fewer pixels.",
            maximum=settings.export_max_bytes,
        )
    # The working file lies beside the result.
    if shutil.disk_usage(execution.folder).free - 2 * coverage.size < settings.upload_reserve_bytes:
        raise CoverageTooLarge("The disk has not enough room for the result; ask the operator.")


PROCESS = Process(
    "coverage",
    Text(zh="栅格裁剪", en="Coverage"),
    Text(
        zh="按区域裁剪栅格数据，输出云优化 GeoTIFF。",
        en="The cells of a raster collection in a zone as a Cloud-Optimised GeoTIFF.",
    ),
    CoverageInputs,
    run,
    {RESULT: {"type": "string", "contentMediaType": COG, "contentEncoding": "binary"}},
    immediate=False,
)
