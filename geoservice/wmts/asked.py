"""Parameters of a WMTS request: names without case; what is unknown is passed over (OGC 07-057r7, clause 8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from layers.errors import BadParameter

VERSION = "1.0.0"


class WmtsError(BadParameter):
    """A WMTS request that cannot be answered, with the exception code of OWS Common and the parameter at fault.

    Args:
        detail: One sentence that says what was expected.
        code: Exception code (07-057r7, tables 20, 24 and 28).
        locator: Name of the parameter, as the standard writes it.
        facts: Further facts.
    """

    title = "Tile service exception"

    def __init__(self, detail: str, code: str = "NoApplicableCode", locator: str | None = None, **facts: Any) -> None:
        """Keep sentence, code, locator and facts."""
        super().__init__(detail, **facts)
        self.code = code
        self.locator = locator


class Asked:
    """The parameters of one request."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        """Take names and values as they came; the first of a repeated parameter counts if all are the same."""
        self._values: dict[str, str] = {}
        self._doubled: set[str] = set()
        for name, value in items:
            lower = name.lower()
            if self._values.setdefault(lower, value) != value:
                self._doubled.add(lower)

    def get(self, name: str) -> str | None:
        """The value of a parameter, or None; an empty one counts as not given.

        Raises:
            WmtsError: When it was given twice with different values.
        """
        if name.lower() in self._doubled:
            raise WmtsError(f"{name} is given more than once, with different values.", "InvalidParameterValue", name)
        return self._values.get(name.lower()) or None

    def need(self, name: str) -> str:
        """The value of a parameter that the request must have.

        Raises:
            WmtsError: When it is missing.
        """
        value = self.get(name)
        if value is None:
            raise WmtsError(f"The parameter {name} is missing.", "MissingParameterValue", name)
        return value

    def one_of(self, name: str, allowed: Iterable[str]) -> str:
        """One of some words, without case.

        Raises:
            WmtsError: When it is missing or none of them.
        """
        value, words = self.need(name), list(allowed)
        found = next((word for word in words if word.lower() == value.lower()), None)
        if found is None:
            raise WmtsError(
                f"{name} is one of {', '.join(words)}; {value[:60]!r} is not.", "InvalidParameterValue", name
            )
        return found
