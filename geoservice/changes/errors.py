"""What can go wrong when somebody asks for changes."""

from __future__ import annotations

from layers.errors import UnknownEdition


class EditionGone(UnknownEdition):
    """The edition that changes are asked since is not kept, or never was: only a full copy helps."""

    title = "Edition is gone"
