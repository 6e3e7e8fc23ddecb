"""What can go wrong with units, marks and exercises."""

from __future__ import annotations

from layers.errors import BadBody, GeoError


class ReportRefused(BadBody):
    """A report of a unit is well formed, and cannot be true: it comes from the future, or from too long ago."""

    title = "Report refused"


class ReportContested(GeoError):
    """A unit has reported another place for the same instant."""

    title = "Report contradicts a known one"


class MarkChanged(GeoError):
    """A mark is not the version any more that a request was made for."""

    title = "Mark has changed"


class NothingToUndo(GeoError):
    """A mark has no earlier version."""

    title = "Nothing to undo"


class TooManyMarks(GeoError):
    """A key has plotted as many marks as one may, or reported as many units."""

    title = "Too many marks or units"


class ExerciseOver(GeoError):
    """An exercise was stopped, so that nothing more happens in it."""

    title = "Exercise is over"


class NotOfExercise(BadBody):
    """An alert or zone is meant in earnest, or belongs to another exercise."""

    title = "Not of this exercise"
