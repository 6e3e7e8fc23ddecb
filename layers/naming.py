"""Which layers have names that the gazetteer finds, and how much each of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Named(BaseModel):
    """How the names of a layer are found in the gazetteer; they are those of its `label`.

    Attributes:
        class_: What the features are: division, place, water, school ...; searches can be limited to it.
        importance: From 0 to 1; among names that match alike, the more important come first.
        by: Attribute whose values have an importance of their own.
        values: That importance, by value.
        aliases: Attributes with further names, separated by semicolons.
        division: Attribute with the code of the division that a feature belongs to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_: str = Field(alias="class", pattern=r"^[a-z][a-z0-9-]*$")
    importance: float = Field(default=0.3, ge=0, le=1)
    by: str | None = None
    values: Mapping[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    division: str | None = None

    def attributes(self) -> tuple[str | None, ...]:
        """The attributes that it names, and None for those that it leaves out."""
        return (self.by, self.division, *self.aliases)

    def weight(self, value: object) -> float:
        """The importance of a feature.

        Args:
            value: Its value of `by`, in whichever type.
        """
        return self.importance if value is None else self.values.get(str(value), self.importance)
