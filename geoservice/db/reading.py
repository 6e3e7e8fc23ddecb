"""Where readers find rows: in the tables behind policies, or in the views of their clearance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geoservice.db.compiled import Compiled
from geoservice.db.sync import view_schema
from layers.access import Clearance
from layers.ladder import LADDER_SCHEMA
from layers.table import CURRENT_SCHEMA, HISTORY_SCHEMA


@dataclass
class Reading:
    """How this process reads: the access net of the server and the statements compiled so far."""

    mode: Literal["policies", "views"]
    statements: dict[tuple[object, ...], Compiled] = field(default_factory=dict)

    def schema(self, clearance: Clearance) -> dict[str, str] | None:
        """Schema translation for a clearance; None when the tables themselves are read."""
        if self.mode == "policies":
            return None
        return {schema: view_schema(clearance, schema) for schema in (CURRENT_SCHEMA, HISTORY_SCHEMA, LADDER_SCHEMA)}
