"""A bare ASGI application that answers each path with the bytes that a file says: what a server can do at best."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path
from typing import Any

FILE = "GEOSERVICE_TEST_BARE"


def create() -> Any:
    """The application, with the answers that the variable `GEOSERVICE_TEST_BARE` names."""
    told = json.loads(Path(os.environ[FILE]).read_text(encoding="utf-8"))
    answers = {path: (headers_of(one), b64decode(one["body"])) for path, one in told.items()}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers, body = answers[scope["path"]]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def headers_of(one: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The header fields of an answer."""
    return [(name.encode(), value.encode()) for name, value in one["headers"]]
