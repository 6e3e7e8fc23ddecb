"""Where readers find rows: in the tables behind policies, or in the views of their clearance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from geoservice.db.compiled import Compiled
from geoservice.db.sync import view_schema
from geoservice.features.sample import Sample
from layers.access import Clearance
from layers.ladder import LADDER_SCHEMA
from layers.table import CURRENT_SCHEMA, HISTORY_SCHEMA

MOST_STATEMENTS = 4096
"""Compiled statements a process keeps."""


@dataclass
class Reading:
    """How this process reads: the access net of the server, the statements compiled so far, the editions seen.

    Attributes:
        mode: The access net.
        statements: Compiled statements by what they depend on.
        seen: By layer, the latest edition that pages of an earlier one have met.
        samples: By layer and clearance, some features by which numbers are estimated.
    """

    mode: Literal["policies", "views"]
    statements: dict[tuple[object, ...], Compiled] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    samples: dict[tuple[str, int], Sample] = field(default_factory=dict)

    def keep(self, shape: tuple[object, ...], compiled: Compiled) -> None:
        """Keep a statement whose shape strangers may choose (filters, sort orders): many make the oldest go."""
        if len(self.statements) >= MOST_STATEMENTS:
            for old in list(self.statements)[: MOST_STATEMENTS // 4]:
                del self.statements[old]
        self.statements[shape] = compiled

    def schema(self, clearance: Clearance) -> dict[str, str] | None:
        """Schema translation for a clearance; None when the tables themselves are read."""
        if self.mode == "policies":
            return None
        return {schema: view_schema(clearance, schema) for schema in (CURRENT_SCHEMA, HISTORY_SCHEMA, LADDER_SCHEMA)}
