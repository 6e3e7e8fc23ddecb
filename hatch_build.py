"""Build hook: a wheel carries the front-end assets, which are built from the lock file and not committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ASSETS = "web/static/vendor"
EDITABLE = "editable"


class AssetsHook(BuildHookInterface[Any]):
    """Puts `web/static/vendor` into a wheel, or says how to make it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the assets to the build; an editable install reads them from the folder once they are there.

        Raises:
            RuntimeError: When a wheel is to be built and there are no assets.
        """
        if version == EDITABLE:
            return
        if not (Path(self.root) / ASSETS / "assets.json").is_file():
            raise RuntimeError(
                f"{ASSETS} is missing: run `npm ci` and `python -m web.assets` before a wheel is built, "
                "or the portal would have no map."
            )
        build_data["artifacts"].append(f"/{ASSETS}")
