"""Topics of MQTT as patterns: `stations/{station}/{property}` names readings on their way in and on their way out.

A name in braces stands for a part of a level, so that the topics of OGC SensorThings (1.1, clause 14) are patterns too:
`v1.1/Datastreams({stream})/Observations`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from layers.errors import BadParameter

NAMES = ("stream", "datastream", "station", "property")
_NAME = re.compile(r"\{([a-z]+)\}")
_UNFIT = re.compile(r"[+#/\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Pattern:
    """A pattern of topics; make one by `parse`."""

    text: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern.

        Raises:
            BadParameter: When it has a wildcard, an unknown name, or names no datastream.
        """
        found = _NAME.findall(text)
        strangers = [name for name in found if name not in NAMES]
        named = {"stream"} <= set(found) or {"datastream"} <= set(found) or {"station", "property"} <= set(found)
        if strangers or len(found) != len(set(found)) or not named or re.search(r"[+#\x00]", text):
            raise BadParameter(
                f"{text[:100]!r} is no pattern of topics; one has {{stream}}, {{datastream}}, or {{station}} and "
                "{property}, each once, and no wildcards.",
            )
        return cls(text)

    @property
    def subscription(self) -> str:
        """The topic filter that lets through at least what the pattern matches."""
        return "/".join("+" if _NAME.search(level) else level for level in self.text.split("/"))

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        parts = _NAME.split(self.text)
        return re.compile("".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts)))

    def match(self, topic: str) -> dict[str, str] | None:
        """The names that a topic gives, or None when it is none of the pattern."""
        found = self._expression.fullmatch(topic)
        return None if found is None else found.groupdict()

    def topic(self, names: Mapping[str, object]) -> str:
        """The topic of a reading; characters that no level may have become underscores."""
        return _NAME.sub(lambda m: _UNFIT.sub("_", str(names[m.group(1)])), self.text)
