"""Who may see, load and edit what: one pure decision that every way in and out goes through.

A layer declares a clearance; a row may declare a higher one; an attribute may declare its own.
Nothing here knows HTTP or the database: `layers.table` turns a `RowRule` into a predicate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from layers.model import Layer

Action = Literal["read", "load", "edit"]
LOAD_ANY = "load"
"""The right to load every layer up to the holder's clearance; `load:<layer>` is the right to load one of them."""
EDIT_ANY = "edit"
"""The right to edit single features of every layer; `edit:<layer>` and `edit:<theme>/` narrow it to one or a theme."""

OBSERVE = "observe"
"""The right to send readings for every datastream up to the holder's clearance."""
ALERT = "alert"
"""The right to hand in alerts and to write drafts of alerts."""
RELEASE = "release"
"""The right to release drafts of alerts: nothing goes out before a holder of it lets it go."""
SITUATION = "situation"
"""The right to report positions of units, to plot marks, and to hold exercises."""


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
        rights: What they may do beyond reading: `load`, or `load:<layer>` for single layers; the same with `edit`, and
            `edit:<theme>/` for the layers of a theme; `observe` to send readings.
        name: What to call them, as it was written when the key was made; nothing depends on it.
    """

    id: str
    clearance: Clearance
    rights: frozenset[str] = frozenset()
    name: str | None = field(default=None, compare=False)

    @property
    def anonymous(self) -> bool:
        """True when nobody identified themselves."""
        return self.id == ANONYMOUS_ID

    @property
    def loads(self) -> bool:
        """Whether they hold any right to load; `decide` says which layers it opens."""
        return not self.anonymous and any(r.partition(":")[0] == LOAD_ANY for r in self.rights)

    @property
    def observes(self) -> bool:
        """Whether they may send readings."""
        return not self.anonymous and OBSERVE in self.rights


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
        action: `read`; `load`: put data into the layer, cancel its jobs, mend its quarantine; or `edit`: create,
            change and delete single features. Loading and editing take a right of their own each beside the clearance;
            nobody loads or edits anonymously. Rasters and series have no features that could be edited.
        layer: The layer asked for.

    Returns:
        A refusal carries an empty attribute tuple and the rule of the public. A permission to load or edit also says
        which rows and attributes the principal may be shown.
    """
    if principal.clearance < layer.clearance or not _holds_right(principal, action, layer):
        return Decision(allowed=False, rule=RowRule(Clearance.PUBLIC))
    names = _visible_attributes(layer, principal.clearance)
    return Decision(allowed=True, rule=RowRule(principal.clearance), attributes=names)


@lru_cache(maxsize=4096)
def _visible_attributes(layer: Layer, clearance: Clearance) -> tuple[str, ...]:
    """Names of the attributes up to a clearance. Layers do not change once they are made."""
    return tuple(name for name, one in layer.attributes.items() if one.effective_clearance(layer) <= clearance)


def _holds_right(principal: Principal, action: Action, layer: Layer) -> bool:
    """Whether the action takes no right beside the clearance, or the principal holds one that opens the layer."""
    if action == "read":
        return True
    if action == "edit" and not is_editable(layer):
        return False
    opening = (
        {LOAD_ANY, load_right(layer.name)}
        if action == "load"
        else {EDIT_ANY, edit_right(layer.name), theme_right(layer.theme)}
    )
    return bool(opening & principal.rights) and not principal.anonymous


def is_editable(layer: Layer) -> bool:
    """Whether a layer has features that can be edited one by one: rasters have none, series take readings by loads."""
    return layer.kind != "raster" and getattr(layer, "storage", None) != "series"


def load_right(layer_name: str) -> str:
    """The right to load one layer, as keys keep it."""
    return f"{LOAD_ANY}:{layer_name}"


def edit_right(layer_name: str) -> str:
    """The right to edit one layer, as keys keep it."""
    return f"{EDIT_ANY}:{layer_name}"


def theme_right(theme: str) -> str:
    """The right to edit the layers of a theme, as keys keep it; no layer's name has a slash."""
    return f"{EDIT_ANY}:{theme}/"


def visible(principal: Principal, layers: Iterable[Layer]) -> tuple[Layer, ...]:
    """The layers a principal may read, in the order given."""
    return tuple(layer for layer in layers if decide(principal, "read", layer).allowed)
