"""Progress bars of loads in the terminal: phase, rows, rate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from ingest.progress import Phase


class RateColumn(TextColumn):
    """Rows so far, and rows per second."""

    def __init__(self) -> None:
        """Show what the task counts."""
        super().__init__("{task.completed:,.0f} rows")

    def render(self, task: object) -> Text:
        """The number of rows, with the rate once there is one."""
        rows, elapsed = getattr(task, "completed", 0), getattr(task, "elapsed", None)
        rate = f", {rows / elapsed:,.0f}/s" if rows and elapsed else ""
        return Text(f"{rows:,.0f} rows{rate}")


class Bar:
    """One line of the terminal that follows one load; a listener of `ingest.progress`."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        """Follow with a task that was added to a display."""
        self._progress = progress
        self._task = task

    def __call__(self, rows: int, /) -> None:
        """So many more rows were read."""
        self._progress.advance(self._task, rows)

    def enter(self, phase: Phase, /) -> None:
        """A phase begins."""
        self._progress.update(self._task, phase=phase)

    def show(self, phase: str, rows: int, total: int | None) -> None:
        """Show a state that was looked up."""
        self._progress.update(self._task, phase=phase, completed=rows, total=total)


@contextmanager
def bar(description: str, *, quiet: bool = False) -> Iterator[Bar]:
    """A bar on standard error, gone when it ends; nothing is drawn when quiet or when there is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("[cyan]{task.fields[phase]}"),
        BarColumn(),
        RateColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as progress:
        yield Bar(progress, progress.add_task(description, total=None, phase="starting"))
