"""The desk: what the service does with jobs on behalf of a principal. Blocking; routes call it in a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

from geoservice.db.writing import Writer
from geoservice.exports.closing import require_open
from geoservice.jobs import queue
from geoservice.jobs.errors import ExecutionFailed, ResultsNotReady, UploadsRefused
from geoservice.jobs.execute import begun
from geoservice.jobs.incoming import discard_incoming, take_over
from geoservice.jobs.model import EXECUTION, Job, JobFilter, JobRequest, is_plain, replay_request
from geoservice.jobs.perform import options_of
from geoservice.jobs.results import discard_results, results_folder
from geoservice.jobs.uploads import UploadStore
from geoservice.processes.model import Output, Process, checked, read_manifest
from geoservice.processes.registry import find_process
from geoservice.remote import access_of
from geoservice.settings import Settings
from ingest.chronicle import Intent, keep_refusal
from ingest.editions import edition_of, refuse_withdrawal
from ingest.job import plan
from ingest.remote.fetch import is_remote
from ingest.remote.guard import redacted
from ingest.replay import batches
from ingest.sandbox import SandboxCapabilities, probe
from ingest.set_aside import Wanted
from layers.access import Principal, decide
from layers.catalog import Catalog
from layers.errors import (
    BadParameter,
    NotAllowed,
    NotAuthenticated,
    RowSettled,
    SourceError,
    SourceMissing,
    UnknownEdition,
    UnknownLayer,
    UnknownResource,
)
from layers.model import Layer

MOST_SOURCE = 4000
"""Most characters of a path or address."""
MOST_MAPPING = 200
"""Most characters of the name of a source mapping."""
NOT_READY = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready"
"""Type of the problem that OGC API Processes Part 1 (7.13) names for results that are asked for too early."""


@dataclass(frozen=True)
class Wish:
    """What somebody asks for over HTTP.

    Attributes:
        layer: Name or id of the layer.
        uploads: Ids of complete uploads that make one source.
        source: Path of a file below one of the allowed folders, when there are no uploads.
        mapping: Source mapping, or None to choose by the file's name.
        options: Load options.
    """

    layer: str
    uploads: tuple[str, ...] = ()
    source: str | None = None
    mapping: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Desk:
    """Jobs for principals: each sees their own, and those of the layers they may load."""

    def __init__(self, settings: Settings, writer: Writer, catalog: Catalog, uploads: UploadStore) -> None:
        """Work through the writer's connections."""
        self._settings = settings
        self._writer = writer
        self._catalog = catalog
        self._uploads = uploads
        self._confinement: SandboxCapabilities | None = None
        self._guard = threading.Lock()

    def require_confinement(self) -> None:
        """Check, once per process, that files from elsewhere can be read safely here.

        Raises:
            UploadsRefused: When the reader would have a network or a view of other files.
        """
        if self._settings.uploads_unconfined:
            return
        with self._guard:
            if self._confinement is None:
                self._confinement = probe()
        if not self._confinement.fit_for_strangers:
            raise UploadsRefused(
                "This machine cannot shut the reader off from network and files, so it takes no uploads; "
                "`geoservice doctor` says what is missing."
            )

    def submit(self, asker: Principal, wish: Wish) -> Job:
        """Make a job.

        Raises:
            NotAuthenticated, NotAllowed: When the asker may not load the layer.
            UnknownLayer: When there is no such layer, or none that the asker may see.
            BadParameter, SourceMismatch, SourceMissing: When the wish makes no sense.
            TooManyJobs: When the asker has too many waiting.
        """
        layer = self._loadable(asker, wish.layer)
        options_of(wish.options)
        _require_plain(wish)
        if bool(wish.uploads) == (wish.source is not None):
            raise BadParameter("A job has either uploads or a source.", parameter="uploads")
        if wish.uploads:
            return self._submit_uploads(asker, layer, wish)
        if is_remote(wish.source or ""):
            return self._submit_remote(asker, layer, wish)
        with self._refusals_kept(asker, layer, wish, PurePath(wish.source or "").name):
            file = self._allowed(wish.source or "")
        return self._put(asker, layer, wish, file.name, {"path": str(file)})

    def _submit_remote(self, asker: Principal, layer: Layer, wish: Wish) -> Job:
        """A job that fetches from one of the allowed hosts; connections to databases are not for requests."""
        address = wish.source or ""
        if not address.lower().startswith(("https://", "http://")):
            raise BadParameter("A remote source of a job is an https address.", parameter="source")
        access_of(self._settings).guard.require_host(address)
        if wish.mapping is not None:
            self._mapping(asker, layer, wish, "snapshot")
        return self._queue(asker, layer, wish, redacted(address), {"remote": address}, wish.mapping)

    def _submit_uploads(self, asker: Principal, layer: Layer, wish: Wish) -> Job:
        self.require_confinement()
        place = self._uploads.gather(asker.id, wish.uploads)
        with ExitStack() as undo:
            undo.callback(discard_incoming, self._settings, place)
            job = self._put(asker, layer, wish, place["file"], place)
            # Now the job owns them.
            undo.pop_all()
        self._uploads.drop(asker.id, wish.uploads)
        return job

    def _put(self, asker: Principal, layer: Layer, wish: Wish, name: str, place: dict[str, Any]) -> Job:
        return self._queue(asker, layer, wish, name, place, self._mapping(asker, layer, wish, name))

    def _mapping(self, asker: Principal, layer: Layer, wish: Wish, name: str) -> str:
        """The mapping through which a source of a name comes in; a report is kept when there is none."""
        with self._refusals_kept(asker, layer, wish, name):
            lists, options = dict(self._catalog.codelists), options_of(wish.options)
            return plan(layer, Path(name), lists, wish.mapping, options=options).mapping_name

    @contextmanager
    def _refusals_kept(self, asker: Principal, layer: Layer, wish: Wish, name: str) -> Iterator[None]:
        """What is refused here never becomes a job; it leaves a report like any load that is refused."""
        try:
            yield
        except SourceError as error:
            intent = Intent(layer, name, wish.mapping, options_of(wish.options))
            with self._writer.transaction() as connection:
                keep_refusal(connection, intent, asker.id, error)
            raise

    def _queue(
        self, asker: Principal, layer: Layer, wish: Wish, name: str, place: dict[str, Any], mapping: str | None
    ) -> Job:
        request = JobRequest(layer.name, asker.id, "api", name, place, mapping, options=wish.options)
        with self._writer.transaction() as connection:
            return queue.submit(connection, request, self._settings.job_queue_max)

    def execute(
        self,
        asker: Principal,
        process: str,
        inputs: dict[str, Any],
        files: Mapping[str, Path] | None = None,
        **wish: Any,
    ) -> Job:
        """Make a job that carries out a process.

        Args:
            asker: Who asks, and will own the results.
            process: Its id.
            inputs: What it takes, as JSON.
            files: Files on the disk of the state directory that it reads, by name; the job takes links to them.
            wish: How the results are wanted: `response` (`document` or `raw`) and `outputs` (names).

        Raises:
            NotAuthenticated: When the asker is anonymous: results would belong to nobody.
            UnknownResource: When there is no such process.
            BadBody: When the inputs are not what it takes.
            TooManyJobs: See `submit`.
        """
        if asker.anonymous:
            raise NotAuthenticated("A job takes an API key, so that its results belong to somebody.")
        found = find_process(process)
        checked(found, inputs)
        options = {"process": found.id, "inputs": inputs, **wish}
        with ExitStack() as undo:
            place: dict[str, Any] = {}
            if files:
                place["folder"] = take_over(self._settings, asker.id, files)
                undo.callback(discard_incoming, self._settings, place)
            request = JobRequest("", asker.id, "api", found.id, place, options=options, kind=EXECUTION)
            with self._writer.transaction() as connection:
                job = queue.submit(connection, request, self._settings.job_queue_max)
            undo.pop_all()
        return job

    def carry_out(self, asker: Principal, process: Process, inputs: dict[str, Any]) -> dict[str, Output]:
        """Carry out a process while the client waits; it answers by values.

        Raises:
            BadBody: When the inputs are not what it takes.
            GeoError: What the process refuses.
        """
        taken = checked(process, inputs)
        with TemporaryDirectory(prefix="geoservice-") as folder:
            places = Path(folder), None
            with begun(self._writer.database, self._catalog, asker, places, lambda done, total: None) as execution:
                process.run(execution, taken)
        return execution.outputs

    def results(self, asker: Principal, job: Job) -> dict[str, Output]:
        """What came of an execution that the asker may see; outputs that show layers above them by now are left out.

        Raises:
            ResultsNotReady: When it has not ended.
            ExecutionFailed: When it ended badly; the job says why.
            UnknownResource: When it is no execution, or its results have expired.
            ExportClosed: When rows of a result were closed to its readers since.
        """
        if job.kind != EXECUTION:
            raise UnknownResource(f"Job {job.id} leaves no results; it says itself what came of it.")
        if not job.over:
            raise ResultsNotReady(f"Job {job.id} has not ended; its results come later.", problem_type=NOT_READY)
        if job.state != "done":
            raise ExecutionFailed(f"Job {job.id} has no results: it was {job.state}.", state=job.state)
        outputs = read_manifest(results_folder(self._settings, job.id))
        if outputs is None:
            raise UnknownResource(f"The results of job {job.id} have expired.")
        readable = {layer.name for layer in self._catalog if decide(asker, "read", layer).allowed}
        found = {name: output for name, output in outputs.items() if readable.issuperset(output.layers)}
        with self._writer.transaction() as connection:
            for output in found.values():
                require_open(connection, self._catalog, asker, output)
        return found

    def replay(self, asker: Principal, wanted: Wanted) -> Job:
        """Make a job that loads open rows of quarantine again. The asker was shown the layer's quarantine already.

        Args:
            asker: Who asks.
            wanted: Rows of one layer.

        Raises:
            RowSettled: When no row that is meant is open.
            TooManyJobs: See `submit`.
        """
        with self._writer.transaction() as connection:
            if not batches(connection, wanted):
                raise RowSettled("No open row of quarantine is meant; there is nothing to replay.")
            return queue.submit(connection, replay_request(wanted, asker.id, "api"), self._settings.job_queue_max)

    def withdraw(self, asker: Principal, number: int, reason: str) -> Job:
        """Make a job that takes an edition back.

        Raises:
            UnknownEdition: When there is none, or none of a layer that the asker may see.
            NotAuthenticated, NotAllowed: When the asker may not load its layer.
            NotWithdrawable: When it is withdrawn already, or a later edition touched its rows.
            TooManyJobs: See `submit`.
        """
        unknown = UnknownEdition(f"There is no edition {number}; /collections/{{id}}/editions lists those there are.")
        with self._writer.transaction() as connection:
            try:
                undone = edition_of(connection, number)
                layer = self._loadable(asker, undone["layer"])
            except (UnknownEdition, UnknownLayer):
                raise unknown from None
            refuse_withdrawal(connection, layer, undone)
            place = {"edition": number, "reason": reason}
            request = JobRequest(layer.name, asker.id, "api", f"edition {number}", place, kind="withdrawal")
            return queue.submit(connection, request, self._settings.job_queue_max)

    def _loadable(self, asker: Principal, name: str) -> Layer:
        layer = next((found for found in self._catalog if name in (found.name, found.id)), None)
        if layer is None or not decide(asker, "read", layer).allowed:
            raise UnknownLayer(f"There is no collection {name[:60]!r}; /collections lists those there are.")
        require_loader(asker)
        if not decide(asker, "load", layer).allowed:
            raise NotAllowed(f"Your key may not load {layer.name}.")
        return layer

    def _allowed(self, text: str) -> Path:
        """A file below an allowed folder; links that lead out of it do not count.

        Raises:
            SourceMissing: When there is none; a file elsewhere looks the same.
        """
        file = Path(text)
        try:
            roots = [root.resolve() for root in self._settings.source_folders]
            found = file.resolve() if file.is_absolute() else None
            if found is not None and any(found.is_relative_to(root) for root in roots) and found.is_file():
                return found
        except (OSError, RuntimeError, ValueError):
            # Names that are too long, links that run in a circle, and folders that are closed to us hold no file.
            pass
        raise SourceMissing("There is no such file below the folders that jobs may load from.")

    def get(self, asker: Principal, number: int) -> Job:
        """A job that the asker may see.

        Raises:
            UnknownResource: When there is none, or none for this asker.
        """
        with self._writer.transaction() as connection:
            job = queue.get(connection, number)
        if not self._shows(asker, job):
            raise queue.unknown_job(number)
        return job

    def _shows(self, asker: Principal, job: Job) -> bool:
        if job.kind == EXECUTION:
            return job.principal == asker.id and not asker.anonymous
        layer = next((found for found in self._catalog if found.name == job.layer), None)
        if layer is None or asker.anonymous or not decide(asker, "read", layer).allowed:
            return False
        return job.principal == asker.id or decide(asker, "load", layer).allowed

    def listing(self, asker: Principal, *, which: JobFilter, before: int | None, limit: int) -> list[Job]:
        """Jobs that the asker may see, the newest first."""
        if asker.anonymous:
            return []
        readable = [layer for layer in self._catalog if decide(asker, "read", layer).allowed]
        loadable = [layer.name for layer in readable if decide(asker, "load", layer).allowed]
        with self._writer.transaction() as connection:
            return queue.listing(
                connection,
                principal=asker.id,
                layers=loadable,
                among=[layer.name for layer in readable],
                which=which,
                before=before,
                limit=limit,
            )

    def cancel(self, asker: Principal, number: int) -> Job:
        """Cancel a job that the asker may see.

        Raises:
            UnknownResource: See `get`.
            JobEnded: When it has ended.
        """
        self.get(asker, number)
        with self._writer.transaction() as connection:
            job = queue.cancel(connection, number)
        if job.over:
            discard_incoming(self._settings, job.place)
        return job

    def dismiss(self, asker: Principal, job: Job) -> Job:
        """Cancel a job, or remove the results of an execution that has ended.

        Raises:
            JobEnded: When it has ended and is none.
        """
        if job.kind == EXECUTION and job.over:
            discard_results(self._settings, job.id)
            with self._writer.transaction() as connection:
                queue.dismiss(connection, job.id)
            return self.get(asker, job.id)
        return self.cancel(asker, job.id)

    def several(self, numbers: Collection[int]) -> dict[int, Job]:
        """Jobs by number, for those who were shown them already."""
        with self._writer.transaction() as connection:
            return queue.several(connection, numbers)


def _require_plain(wish: Wish) -> None:
    """What is asked for can be kept and shown: reports and jobs repeat it.

    Raises:
        BadParameter: When it cannot.
    """
    for name, text, most in (("source", wish.source, MOST_SOURCE), ("mapping", wish.mapping, MOST_MAPPING)):
        if not is_plain(text or "", most):
            raise BadParameter(f"A {name} is one line of at most {most} characters.", parameter=name)


def require_loader(asker: Principal) -> None:
    """Somebody who holds any right to load.

    Raises:
        NotAuthenticated: When they are anonymous.
        NotAllowed: When their key only reads.
    """
    if asker.anonymous:
        raise NotAuthenticated("Loading data takes an API key that may load.")
    if not asker.loads:
        raise NotAllowed("Your key may read, and not load; ask the operator for one with --may-load.")
