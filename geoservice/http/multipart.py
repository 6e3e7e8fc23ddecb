"""Several JSON values as the parts of one body (RFC 2387, multipart/related)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import HTTP
from typing import Any


def related(values: Mapping[str, Any]) -> tuple[bytes, str]:
    """The body and its media type; each part has the name of its value as Content-ID.

    Args:
        values: Name -> value that JSON can write.
    """
    whole = MIMEMultipart("related", policy=HTTP)
    for name, value in values.items():
        text = json.dumps(value, ensure_ascii=False).encode()
        part = MIMEApplication(text, "json", policy=HTTP)
        part["Content-ID"] = f"<{name}>"
        whole.attach(part)
    _, _, body = whole.as_bytes(policy=HTTP).partition(b"\r\n\r\n")
    return body, f'multipart/related; boundary="{whole.get_boundary()}"; type="application/json"'
