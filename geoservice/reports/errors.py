"""What can be wrong with reports."""

from __future__ import annotations

from layers.errors import GeoError


class ReportTooMany(GeoError):
    """A key keeps as many reports, or as many links to one of them, as it may."""

    title = "Too many reports"


class ShareTooOften(GeoError):
    """A link to a report, or links that show nothing, were opened more often than they may be."""

    title = "Link opened too often"


class ReportUnavailable(GeoError):
    """A file of a report could not be made in the time and room that it has."""

    title = "Report could not be made"


class ReportDoubtful(GeoError):
    """A report does not hold what it says; `exit_code` tells scripts in which respect."""

    title = "Report does not hold"
    exit_code = 4


class SealBroken(ReportDoubtful):
    """The signature of a report does not hold, or was made with a key that is not trusted."""

    title = "Signature does not hold"
    exit_code = 3


class ContentChanged(ReportDoubtful):
    """A file of a report, or the answer in it, is not what was signed."""

    title = "Content was changed"
    exit_code = 4


class FiguresDiffer(ReportDoubtful):
    """The same question on the same editions has other figures than the report."""

    title = "Figures differ"
    exit_code = 5


class EditionsGone(ReportDoubtful):
    """The answer cannot be computed again from the editions that the report names."""

    title = "Editions are gone"
    exit_code = 6
