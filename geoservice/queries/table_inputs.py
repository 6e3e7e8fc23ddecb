"""What a job for a table is asked, as JSON."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from geoservice.queries.cells import Method
from geoservice.queries.identify_table import MOST_EACH
from geoservice.queries.overlay import Matches
from geoservice.queries.tables.model import Columns
from geoservice.queries.wish import Narrowing, Operation, TableWish

PROCESS_ID = "table-query"
TABLE = "table"
"""Name of the file that is the table, and of the result."""


class TableInputs(BaseModel):
    """What is asked for each row of a table, and how the table is read; see `TableWish` and `Columns`."""

    model_config = ConfigDict(extra="forbid")

    operation: Operation = Field(description="What is asked for each row.")
    collection: str = Field(
        default="",
        max_length=10_000,
        description="Id of the collection that is asked; of `identify` ids separated by commas, all when absent.",
    )
    media: str = Field(max_length=100, description="Media type of the table.")
    x: str | None = Field(default=None, max_length=200, description="Column with the longitude or easting.")
    y: str | None = Field(default=None, max_length=200, description="Column with the latitude or northing.")
    geometry: str | None = Field(default=None, max_length=200, description="Column with a geometry instead.")
    crs: str | None = Field(default=None, max_length=200, description="CRS of the coordinates; CRS84 when absent.")
    prefix: str | None = Field(default=None, max_length=200, description="What names of added columns begin with.")
    properties: str | None = Field(default=None, max_length=10_000, description="Attributes, separated by commas.")
    filter: str | None = Field(default=None, max_length=20_000, description="CQL2 filter on the collection.")
    filter_lang: str = Field(default="cql2-text", description="`cql2-text` or `cql2-json`.")
    as_of: str | None = Field(default=None, max_length=60, description="RFC 3339 instant that has passed.")
    within: float | None = Field(default=None, gt=0, description="Metres beyond which nothing is near.")
    method: Method = Field(default="nearest", description="How raster values are taken.")
    matches: Matches = Field(default="first", description="Of `overlay`: what shares most, or a row for each.")
    limit: int = Field(default=10, ge=1, le=MOST_EACH, description="Of `identify`: most features of a collection.")

    @classmethod
    def of(cls, wish: TableWish, media: str, columns: Columns) -> Self:
        """The inputs that say what a wish says."""
        return cls(
            operation=wish.operation,
            collection=wish.collection,
            media=media,
            x=columns.x,
            y=columns.y,
            geometry=columns.geometry,
            crs=wish.crs,
            prefix=wish.prefix,
            properties=wish.narrowing.properties,
            filter=wish.narrowing.filter,
            filter_lang=wish.narrowing.filter_lang,
            as_of=wish.narrowing.as_of,
            within=wish.within,
            method=wish.method,
            matches=wish.matches,
            limit=wish.limit,
        )

    def wish(self) -> TableWish:
        """What is asked for each row."""
        narrowing = Narrowing(self.properties, self.filter, self.filter_lang, self.as_of)
        return TableWish(
            self.operation,
            self.collection,
            narrowing,
            self.crs,
            self.prefix,
            self.within,
            self.method,
            self.matches,
            self.limit,
        )

    def columns(self) -> Columns:
        """Which columns say where a row lies."""
        return Columns(self.x, self.y, self.geometry, shapes=self.wish().shaped)
