"""Parameters of a WMS request: names without case, values as they are; what is unknown is passed over (06-042, 6.8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from layers.errors import BadParameter

VERSIONS = ("1.3.0", "1.1.1")
"""Versions whose requests are understood; the service describes itself in the first."""
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


class WmsError(BadParameter):
    """A WMS request that cannot be answered; `code` is the exception code of the standard, where it has one.

    Args:
        detail: One sentence that says what was expected.
        code: Exception code (06-042, table E.1), or None.
        missing: Whether what is asked for does not exist, or not for this reader.
    """

    title = "Service exception"

    def __init__(self, detail: str, code: str | None = None, *, missing: bool = False, **facts: Any) -> None:
        """Keep sentence, code and facts."""
        super().__init__(detail, **facts, **({} if code is None else {"code": code}))
        self.code = code
        self.missing = missing


class Pairs:
    """The parameters of one request."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        """Take names and values as they came."""
        self._values: dict[str, str] = {}
        self._doubled: set[str] = set()
        for name, value in items:
            upper = name.upper()
            if self._values.setdefault(upper, value) != value:
                self._doubled.add(upper)

    def get(self, name: str) -> str | None:
        """The value of a parameter, or None; an empty one counts as not given.

        Raises:
            WmsError: When it was given twice with different values.
        """
        if name in self._doubled:
            raise WmsError(f"{name} is given more than once, with different values.", "InvalidParameterValue")
        return self._values.get(name) or None

    def need(self, name: str) -> str:
        """The value of a parameter that the request must have.

        Raises:
            WmsError: When it is missing.
        """
        value = self.get(name)
        if value is None:
            raise WmsError(f"The parameter {name} is missing.", "MissingParameterValue")
        return value

    def names(self, name: str) -> list[str]:
        """The parts of a list; an empty list when it is not given. Empty parts stay."""
        value = self.get(name)
        return [] if value is None else [part.strip() for part in value.split(",")]

    def number(self, name: str, lowest: int, highest: int, default: int | None = None) -> int:
        """A whole number.

        Raises:
            WmsError: When it is missing and has no default, is none, or lies outside the bounds.
        """
        value = self.get(name)
        if value is None and default is not None:
            return default
        text = self.need(name)
        if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
            raise WmsError(
                f"{name} is a whole number from {lowest} to {highest}; {text[:30]!r} is not.", "InvalidParameterValue"
            )
        return int(text)

    def choice(self, name: str, allowed: Iterable[str], default: str, code: str = "InvalidParameterValue") -> str:
        """One of some words, without case; the default when it is not given.

        Raises:
            WmsError: With the code, when it is none of them.
        """
        value = self.get(name)
        if value is None:
            return default
        found = next((word for word in allowed if word.lower() == value.strip().lower()), None)
        if found is None:
            raise WmsError(f"{name} is one of {', '.join(allowed)}; {value[:40]!r} is not.", code)
        return found

    @property
    def version(self) -> str:
        """The version whose rules the request follows.

        Raises:
            WmsError: When the service does not know it.
        """
        value = self.get("VERSION") or self.get("WMTVER") or VERSIONS[0]
        if value not in VERSIONS:
            raise WmsError(f"VERSION is one of {', '.join(VERSIONS)}; {value[:20]!r} is not.", "InvalidParameterValue")
        return value

    @property
    def language(self) -> str:
        """`zh` or `en` by LANGUAGE, a parameter of INSPIRE; Chinese when it is not given."""
        return "en" if (self.get("LANGUAGE") or "").lower().startswith("en") else "zh"
