"""How a layer of lines is travelled: where lines join, in which direction, how fast and by whom.

A layer file declares it as `network:`; everything that routes derives from it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from layers.checks import Length

Noding = Literal["vertices", "ends"]
Speed = Annotated[float, Field(gt=0, le=400, allow_inf_nan=False)]
"""Kilometres per hour."""
MODE_PATTERN = r"^[a-z][a-z0-9_]{0,23}$"


class Mode(BaseModel):
    """Who travels: the speed on each class of line, in km/h. A class that is not named is closed to them.

    `oneway` says whether one-way lines bind them, `limits` whether a speed that the line itself declares counts
    instead of the one of its class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    speeds: Mapping[str, Speed] = Field(min_length=1)
    oneway: bool = True
    limits: bool = True


class Network(BaseModel):
    """Lines as a network.

    Attributes:
        noding: Where lines join: `vertices` at every vertex that they share, `ends` only where one of them ends. Lines
            that cross without a common vertex pass each other, as on a bridge.
        tolerance: Vertices in the same cell of a grid of this width (m) are the same place.
        class_: Attribute of the class of a line, written `class`.
        oneway: Boolean attribute that is true where a line is travelled in the direction of its vertices only.
        limit: Attribute of the speed that a line declares, in km/h.
        fragment: Pieces of the network whose lines are shorter than this together (m) are no place to start from
            while there is another road nearby.
        reach: How far from a place the nearest road may be (m).
        modes: Who travels; the first one is meant when none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    noding: Noding = "vertices"
    tolerance: Annotated[Length, Field(ge=0.02, le=100)] = 0.1
    class_: str = Field(alias="class")
    oneway: str | None = None
    limit: str | None = None
    fragment: Length = 1000.0
    reach: Annotated[Length, Field(gt=0, le=100_000)] = 5000.0
    modes: Mapping[Annotated[str, Field(pattern=MODE_PATTERN)], Mode] = Field(min_length=1)

    def attributes(self) -> tuple[str | None, ...]:
        """Names of the attributes that the network reads."""
        return (self.class_, self.oneway, self.limit)

    def check(self, geometry: str, types: Mapping[str, str], open_: Container[str]) -> None:
        """Check that the layer is one of lines and that its attributes are of the right types.

        Args:
            geometry: The geometry type of the layer.
            types: Type of each attribute.
            open_: The attributes that every reader of the layer may see.

        Raises:
            ValueError: Saying what is wrong.
        """
        if geometry != "line":
            raise ValueError("only lines form a network")
        wanted = {self.class_: ("text", "code"), self.oneway: ("boolean",), self.limit: ("integer", "number")}
        for name, kinds in wanted.items():
            if name is not None and types[name] not in kinds:
                raise ValueError(f"network: {name} must be an attribute of type {' or '.join(kinds)}")
        # Who does not see a one-way road as such would be led against it.
        if any(name is not None and name not in open_ for name in (self.class_, self.oneway)):
            raise ValueError("network: every reader of the layer may see class and direction of its lines")
