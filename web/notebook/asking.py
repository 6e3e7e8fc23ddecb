"""Questions of a notebook to a service, by its public API."""

from __future__ import annotations

from typing import Any

import httpx

from layers.errors import BadParameter, RemoteUnavailable

Json = dict[str, Any]
_SECONDS = 60.0
_PAGE = 1000
_REFUSED = 400


class Service:
    """A service and the key with which it is asked."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Keep the address; nothing is asked yet.

        Args:
            url: Address of the service, such as `http://127.0.0.1:8000`.
            token: API key; without one the questions are those of the anonymous public.

        Raises:
            BadParameter: When the address is none of the web.
        """
        if not url.startswith(("http://", "https://")):
            raise BadParameter("url is the address of a service, such as http://127.0.0.1:8000.", parameter="url")
        headers = {"Accept": "application/json", **({"X-API-Key": token} if token else {})}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_SECONDS)

    def get(self, path: str, **asked: Any) -> httpx.Response:
        """Ask for something; parameters that are None are left out.

        Raises:
            BadParameter: When the service refuses, in its own words.
            RemoteUnavailable: When it does not answer.
        """
        given = {name.replace("_", "-"): value for name, value in asked.items() if value is not None}
        try:
            answer = self._client.get(path, params=given or None)
        except httpx.HTTPError as error:
            raise RemoteUnavailable(f"The service does not answer: {type(error).__name__}.") from None
        if answer.status_code >= _REFUSED:
            raise BadParameter(_reason(answer), parameter="url")
        return answer

    def features(self, layer: str, most: int, **asked: Any) -> tuple[list[Json], bool]:
        """Features of a collection, page by page, and whether there are more than so many.

        Args:
            layer: Collection.
            most: How many are taken.
            asked: Parameters of the items, such as filter, bbox and as_of.

        Raises:
            BadParameter, RemoteUnavailable: As `get` does.
        """
        page: Json = self.get(f"/collections/{layer}/items", f="json", limit=min(most, _PAGE), **asked).json()
        found: list[Json] = list(page["features"])
        while len(found) < most and (further := _next(page)):
            page = self.get(further).json()
            found += page["features"]
        return found[:most], len(found) > most or _next(page) is not None

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def _next(page: Json) -> str | None:
    return next((str(one["href"]) for one in page.get("links", ()) if one["rel"] == "next"), None)


def _reason(answer: httpx.Response) -> str:
    try:
        told = answer.json()
        return str(told.get("detail") or told.get("title"))
    except ValueError:
        return f"The service answered with {answer.status_code}."
