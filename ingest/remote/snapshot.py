"""A snapshot under way: features of pages go into one file, and what does not fit together is remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ingest.job import Finding
from layers.errors import SourceUnreadable

_FIRST = 10
Progress = Callable[[int], None]


def silent(_: int) -> None:
    """Progress that nobody watches."""


class Snapshot:
    """Writes the features of a remote source to a file and compares the pages with one another.

    A source that changes between two pages gives features twice or loses some: the counts that its pages announce,
    the features received and their ids tell.
    """

    def __init__(self, file: Path, head: bytes, tail: bytes, progress: Progress = silent) -> None:
        """Begin a file.

        Args:
            file: Where to.
            head: What stands before the first feature.
            tail: What stands after the last.
            progress: Called with the number of features of each page.
        """
        self.file = file
        self.features = 0
        self._tail = tail
        self._progress = progress
        self._ids: set[bytes] = set()
        self._repeated: list[str] = []
        self._repeats = 0
        self._announced: list[int] = []
        self._handle = file.open("xb")
        self._handle.write(head)

    def __enter__(self) -> Self:
        """The snapshot itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; one that was not finished is removed."""
        if not self._handle.closed:
            self._handle.close()
            self.file.unlink(missing_ok=True)

    def page(self, features: list[tuple[str | None, bytes]], announced: int | None) -> None:
        """Add a page.

        Args:
            features: Id (None when it has none) and text of each feature.
            announced: How many features the page says there are in all.
        """
        for name, text in features:
            self._handle.write(text)
            if name is not None:
                self._note_id(name)
        self.features += len(features)
        if announced is not None:
            self._announced.append(announced)
        self._progress(len(features))

    def finish(self) -> tuple[Finding, ...]:
        """Complete the file.

        Returns:
            What does not fit together, as findings.

        Raises:
            SourceUnreadable: When there are no features.
        """
        if self.features == 0:
            raise SourceUnreadable("The remote source holds no features.")
        self._handle.write(self._tail)
        self._handle.close()
        return tuple(self._findings())

    def _note_id(self, name: str) -> None:
        # Half a digest: 16 bytes per feature instead of its name, however long that is.
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()[:16]
        if digest in self._ids:
            self._repeats += 1
            self._repeated = [*self._repeated, name][:_FIRST]
        self._ids.add(digest)

    def _findings(self) -> list[Finding]:
        found = []
        if len(set(self._announced)) > 1:
            message = "The number of features changed while the remote source was fetched; the snapshot may lack some."
            found.append(_finding("remote-changed", message, 1, tuple(str(n) for n in dict.fromkeys(self._announced))))
        elif self._announced and self._announced[0] != self.features:
            message = "The remote source announces another number of features than it delivered."
            counts = (str(self._announced[0]), str(self.features))
            found.append(_finding("remote-count", message, abs(self._announced[0] - self.features), counts))
        if self._repeats:
            message = "Features came twice from the remote source; it changed while it was fetched."
            found.append(_finding("remote-repeated", message, self._repeats, tuple(self._repeated)))
        return found


def _finding(rule: str, message: str, count: int, samples: tuple[str, ...]) -> Finding:
    return Finding(
        rule=rule, severity="warning", message=message, count=count, samples=tuple(s[:200] for s in samples[:_FIRST])
    )


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
