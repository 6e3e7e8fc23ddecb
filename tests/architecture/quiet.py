"""Imports modules while listening: which files, sockets, processes and environment variables that touches.

Run as a program (`python quiet.py MODULE...`) in an empty environment; prints JSON. What happens is laid at the door of
the module of ours that called it (`own`), or of the library that is being imported.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import sysconfig
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGES = ("geoservice", "layers", "tiles", "ingest", "web")
WATCHED = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rename", "os.system", "subprocess.Popen")
NETWORK = "socket."
STANDARD = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib"))
IMPORTING = "<frozen importlib"
LIBRARIES = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib"))


class Listener:
    """Takes notes of audit events and of readings of the environment."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self.roots = roots
        self.notes: list[dict[str, Any]] = []
        self.listening = True

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """The audit hook (PEP 578)."""
        if not self.listening or not (event in WATCHED or event.startswith(NETWORK)):
            return
        self.listening = False
        try:
            self.note(event, str(arguments[0]) if arguments else "", str(arguments[1:2]))
        finally:
            self.listening = True

    def note(self, event: str, what: str, how: str = "") -> None:
        """Write down an event and who caused it."""
        self.notes.append({"event": event, "what": str(what), "how": how, "who": self.culprit(sys._getframe(1))})

    def culprit(self, frame: FrameType | None) -> str:
        """File of ours that made this happen, or of the library that did it while it was being imported itself.

        A library that a module of ours calls acts for that module; a library that is being imported acts for itself.
        """
        library = ""
        while frame is not None:
            file = frame.f_code.co_filename
            if file.startswith(self.roots):
                return f"own:{file}"
            if library and file.startswith(IMPORTING):
                return library
            if not library and file != __file__ and not file.startswith("<") and not _is_standard(file):
                library = file
            frame = frame.f_back
        return library or "python"


def _is_standard(file: str) -> bool:
    return file.startswith(STANDARD) and not file.startswith(LIBRARIES)


class Environment(MutableMapping[str, str]):
    """An environment that tells who asks for what."""

    def __init__(self, real: MutableMapping[str, str], listener: Listener) -> None:
        self.real = real
        self.listener = listener

    def __getitem__(self, name: str) -> str:
        self.listener.note("environ", name)
        return self.real[name]

    def __setitem__(self, name: str, value: str) -> None:
        self.listener.note("environ", f"{name}=")
        self.real[name] = value

    def __delitem__(self, name: str) -> None:
        self.listener.note("environ", f"del {name}")
        del self.real[name]

    def __iter__(self) -> Iterator[str]:
        self.listener.note("environ", "*")
        return iter(self.real)

    def __len__(self) -> int:
        return len(self.real)

    def copy(self) -> dict[str, str]:
        """A plain copy, as the real one gives."""
        return dict(self)


def main(names: list[str], roots: tuple[str, ...]) -> None:
    """Import, listening."""
    sys.dont_write_bytecode = True
    listener = Listener(roots)
    os.environ = Environment(os.environ, listener)  # type: ignore[assignment]  # noqa: B003
    sys.addaudithook(listener.hook)
    for name in names:
        importlib.import_module(name)
    listener.listening = False
    print(json.dumps(listener.notes))


if __name__ == "__main__":
    place = sys.argv[1]
    sys.path[0] = place
    main(sys.argv[2:], tuple(f"{Path(place) / name}{os.sep}" for name in PACKAGES))
