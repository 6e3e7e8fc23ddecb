"""What can go wrong with jobs and uploads."""

from __future__ import annotations

from layers.errors import GeoError


class TooManyJobs(GeoError):
    """A principal has as many jobs in the queue as one may have."""

    title = "Too many jobs"


class TooManyStreams(GeoError):
    """A principal follows as many jobs as one may follow at a time."""

    title = "Too many streams"


class NoStreamLeft(GeoError):
    """As many streams of progress are open as one process of the service holds."""

    title = "No stream left"


class JobEnded(GeoError):
    """A job that has ended cannot be cancelled any more."""

    title = "Job has ended"


class ResultsNotReady(GeoError):
    """The results of a job were asked for before it ended."""

    title = "Results not ready"


class ExecutionFailed(GeoError):
    """The results of a job were asked for, and it ended without any."""

    title = "Execution failed"


class UploadsRefused(GeoError):
    """This machine cannot confine the reader well enough for files from elsewhere."""

    title = "Uploads refused"


class UploadLocked(GeoError):
    """Another request is writing to the upload."""

    title = "Upload in use"


class UploadTooSlow(GeoError):
    """A part of an upload stood still for too long; what came of it counts."""

    title = "Upload too slow"


class WrongOffset(GeoError):
    """A part of an upload does not begin where the upload ends, or goes beyond its length."""

    title = "Wrong offset"


class PartMismatch(GeoError):
    """The bytes of a part are not those its checksum was made of; they were thrown away."""

    title = "Part does not have its checksum"


class StorageFull(GeoError):
    """The disk has not enough room for an upload."""

    title = "Storage full"


class OtherProtocol(GeoError):
    """The client speaks no version of the upload protocol that this service knows."""

    title = "Unsupported protocol version"


class WrongMediaType(GeoError):
    """The body has another media type than the resource takes."""

    title = "Unsupported media type"
