"""Values as JSON that can stand in a script element of a page."""

from __future__ import annotations

import json
from typing import Any

_HTML_SAFE = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def json_block(value: Any) -> str:
    """JSON that can stand inside a script element: no character that HTML gives a meaning is left in it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).translate(_HTML_SAFE)
