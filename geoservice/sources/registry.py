"""The registry of open sources: data in `registry.yaml`, read once, immutable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Literal
from urllib.parse import unquote, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geoservice.sources.errors import UnknownSource
from layers.errors import DefinitionError
from layers.model import Text


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Feed(_Frozen):
    """A layer that a source feeds, and the name of the layer's mapping that reads it."""

    layer: str = Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$")
    mapping: str


class OpenSource(_Frozen):
    """One file of open data.

    Attributes:
        id: Name on the command line.
        title: What it is.
        feeds: Layers that it feeds.
        licence: Licence or terms of use.
        attribution: Whom to credit.
        home: Official page of the data's provider.
        file: Path of the copy in a local mirror.
        sha256: Checksum of that copy, in hexadecimal; None for a live source.
        url: Address to download from; with a checksum it is pinned to the same bytes.
        bundled: File name among the data that the front-end packages bring.
        demo: Whether the demo loads it.
    """

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: Text
    feeds: tuple[Feed, ...] = Field(min_length=1)
    licence: str = Field(min_length=1)
    attribution: str = Field(min_length=1)
    home: str = Field(pattern=r"^https://[^\s]+$")
    file: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    bundled: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    demo: bool = False

    @model_validator(mode="after")
    def _coherent(self) -> OpenSource:
        if self.file is None and self.url is None:
            raise ValueError("a source has a file in the mirror, an address, or both")
        if self.file is not None:
            path = PurePosixPath(self.file)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError("file is a path inside the mirror")
            if self.sha256 is None:
                raise ValueError("a file in the mirror has a checksum")
        return self

    @property
    def live(self) -> bool:
        """Whether it changes at its provider, so that no checksum is known."""
        return self.sha256 is None

    @property
    def themes(self) -> tuple[str, ...]:
        """Themes of the layers that it feeds, each once."""
        return tuple(dict.fromkeys(feed.layer.partition("/")[0] for feed in self.feeds))

    @property
    def name(self) -> str:
        """File name under which a copy is kept; the layer mappings match it."""
        path = self.file or unquote(urlsplit(self.url or "").path)
        return PurePosixPath(path).name


class _Document(_Frozen):
    format: Literal[1]
    sources: tuple[OpenSource, ...]


@dataclass(frozen=True)
class Registry:
    """All sources by id, in the order in which the demo loads them."""

    sources: Mapping[str, OpenSource]

    def __iter__(self) -> Iterator[OpenSource]:
        """The sources in order."""
        return iter(self.sources.values())

    def source(self, source_id: str) -> OpenSource:
        """The source with this id.

        Raises:
            UnknownSource: Naming the ids there are.
        """
        found = self.sources.get(source_id)
        if found is None:
            known = ", ".join(self.sources)
            raise UnknownSource(f"There is no source {source_id[:80]!r}; known are {known}.", source=source_id[:80])
        return found

    def pick(self, source_ids: Iterable[str]) -> tuple[OpenSource, ...]:
        """Several sources, each once, in the order asked for.

        Raises:
            UnknownSource: For the first id that is not known; nothing is returned then.
        """
        return tuple(self.source(i) for i in dict.fromkeys(source_ids))


def read_registry() -> Registry:
    """Read the registry of the product."""
    return parse_registry(resources.files("geoservice.sources").joinpath("registry.yaml").read_text(encoding="utf-8"))


def parse_registry(text: str) -> Registry:
    """Make a registry from its YAML text.

    Raises:
        DefinitionError: When it does not follow the format or an id stands twice.
    """
    try:
        document = _Document.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise DefinitionError(f"The registry of sources does not follow its format: {error}") from error
    sources: dict[str, OpenSource] = {}
    for source in document.sources:
        if source.id in sources:
            raise DefinitionError(f"The registry of sources has two sources {source.id!r}.", source=source.id)
        sources[source.id] = source
    return Registry(MappingProxyType(sources))
