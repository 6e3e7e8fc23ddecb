"""Errors of the source registry and of fetching."""

from __future__ import annotations

from layers.errors import SourceError, UnknownResource


class UnknownSource(UnknownResource):
    """No source of the registry has this id."""

    title = "Unknown source"


class NoOrigin(SourceError):
    """Neither a mirror nor a bundle holds the source, and it has no address to download it from."""

    title = "Source not at hand"


class ChecksumMismatch(SourceError):
    """A file is not, byte for byte, what the registry or the mirror's manifest says."""

    title = "Checksum mismatch"


class DownloadFailed(SourceError):
    """The provider could not be reached, refused, broke off, or sent more than the limit."""

    title = "Download failed"
