"""Who may see and load what: one pure decision that every way in and out goes through.

A layer declares a clearance; a row may declare a higher one; an attribute may declare its own.
Nothing here knows HTTP or the database: `layers.table` turns a `RowRule` into a predicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from layers.model import Layer

Action = Literal["read", "load"]
LOAD_ANY = "load"
"""The right to load every layer up to the holder's clearance; `load:<layer>` is the right to load one of them."""


class Clearance(IntEnum):
    """Levels of confidentiality, from open to closed. The number is what rows store."""

    PUBLIC = 0
    INTERNAL = 1
    RESTRICTED = 2

    @property
    def label(self) -> str:
        """Lower-case name, as written in layer files and role names."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> Clearance:
        """Read a level from its lower-case name.

        Raises:
            ValueError: When the name is not one of the levels.
        """
        try:
            return cls[text.upper()]
        except KeyError:
            levels = ", ".join(level.label for level in cls)
            raise ValueError(f"clearance must be one of {levels}, not {text!r}") from None


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks: the anonymous public or the holder of an API key.

    Attributes:
        id: Id of the key, or `anonymous`.
        clearance: Up to which level they may read.
        rights: What they may do beyond reading: `load`, or `load:<layer>` for single layers.
    """

    id: str
    clearance: Clearance
    rights: frozenset[str] = frozenset()

    @property
    def anonymous(self) -> bool:
        """True when nobody identified themselves."""
        return self.id == ANONYMOUS_ID

    @property
    def loads(self) -> bool:
        """Whether they hold any right to load; `decide` says which layers it opens."""
        return not self.anonymous and any(r.partition(":")[0] == LOAD_ANY for r in self.rights)


ANONYMOUS_ID = "anonymous"
ANONYMOUS = Principal(ANONYMOUS_ID, Clearance.PUBLIC)


@dataclass(frozen=True, slots=True)
class RowRule:
    """Rows whose clearance number is at most this one may be read."""

    max_clearance: Clearance


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `decide`: allowed or not, which rows, which attributes."""

    allowed: bool
    rule: RowRule
    attributes: tuple[str, ...] = ()


def decide(principal: Principal, action: Action, layer: Layer) -> Decision:
    """Decide whether a principal may act on a layer, on which rows and attributes.

    Every way out of the house (features, tiles, lists, counts, portal, analysis, exports) asks here, and every
    way in over HTTP (uploads, jobs, mended rows).

    Args:
        principal: Who asks.
        action: `read`, or `load`: put data into the layer, cancel its jobs, mend its quarantine. Loading takes a
            right of its own beside the clearance; nobody loads anonymously.
        layer: The layer asked for.

    Returns:
        A refusal carries an empty attribute tuple and the rule of the public. A permission to load also says
        which rows and attributes the principal may be shown.
    """
    if principal.clearance < layer.clearance or (action == "load" and not _may_load(principal, layer)):
        return Decision(allowed=False, rule=RowRule(Clearance.PUBLIC))
    names = tuple(n for n, a in layer.attributes.items() if a.effective_clearance(layer) <= principal.clearance)
    return Decision(allowed=True, rule=RowRule(principal.clearance), attributes=names)


def _may_load(principal: Principal, layer: Layer) -> bool:
    held = {LOAD_ANY, load_right(layer.name)} & principal.rights
    return bool(held) and not principal.anonymous


def load_right(layer_name: str) -> str:
    """The right to load one layer, as keys keep it."""
    return f"{LOAD_ANY}:{layer_name}"


def visible(principal: Principal, layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers a principal may read, in the order given."""
    return tuple(layer for layer in layers if decide(principal, "read", layer).allowed)
