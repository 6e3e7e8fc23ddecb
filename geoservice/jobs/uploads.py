"""Uploaded files on disk: resumable parts, limits, checksums, expiry. The protocol (tus 1.0.0) is spoken elsewhere.

An upload is a folder `uploads/<id>` of the state directory: `info.json` (owner, name, length), `data` (what came so
far) and `offset` (how much of it counts). `offset` is written after the data have reached the disk and after a
checksum has held, so that whatever ends a request or the machine, the bytes that count are the right ones; what lies
beyond them is cut off before the next part. One request at a time writes, by a file lock that falls with its process.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geoservice.jobs import incoming
from geoservice.jobs.errors import PartMismatch, UploadLocked, WrongOffset
from geoservice.jobs.incoming import full, needing_room
from geoservice.settings import Settings
from layers.errors import BadParameter, TooLarge, UnknownResource

UPLOADS = "uploads"
MOST_UPLOADS = 500
"""Most unfinished or unused uploads of one principal, whatever their size."""
_ID = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")
_FLUSH_BYTES = 8 << 20
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_HOUR = 3600.0


@dataclass(frozen=True)
class Upload:
    """An upload: whose, how it is called, how long it will be (bytes), how much is there, when it expires (epoch)."""

    id: str
    owner: str
    name: str
    length: int
    expires: float
    offset: int = 0

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.offset == self.length


class Part:
    """A part being written: bytes after the ones that count already."""

    def __init__(self, folder: Path, upload: Upload, sha256: bytes | None, handle: int) -> None:
        """Write behind the upload's offset into the open file `handle`; `sha256` is what the part must have."""
        self._folder = folder
        self._upload = upload
        self._expected = sha256
        self._handle = handle
        self._digest = hashlib.sha256()
        self._flushed = self.offset = upload.offset

    def write(self, block: bytes) -> None:
        """Append bytes.

        Raises:
            TooLarge: When they go beyond the length of the upload.
            StorageFull: When the disk is full.
        """
        if self.offset + len(block) > self._upload.length:
            raise TooLarge(f"The upload has {self._upload.length} bytes; this part goes beyond them.")
        view = memoryview(block)
        with needing_room():
            while view:
                view = view[os.write(self._handle, view) :]
        self.offset += len(block)
        self._digest.update(block)
        if self._expected is None and self.offset - self._flushed >= _FLUSH_BYTES:
            self._flush()

    def finish(self) -> int:
        """Let the part count.

        Returns:
            The new offset of the upload.

        Raises:
            PartMismatch: When the bytes are not the announced ones; none of them counts.
        """
        if self._expected is not None and self._digest.digest() != self._expected:
            raise PartMismatch("The part does not have the SHA-256 that was announced; send it again.")
        self._flush()
        return self.offset

    def keep(self) -> None:
        """Let what came of a broken part count, unless a checksum was announced for the whole of it."""
        if self._expected is None and self.offset > self._flushed:
            self._flush()

    def _flush(self) -> None:
        with needing_room():
            os.fsync(self._handle)
            _write_whole(self._folder / "offset", str(self.offset).encode())
        self._flushed = self.offset


class UploadStore:
    """All uploads of an installation. Functions that name an owner show nobody else's uploads."""

    def __init__(self, settings: Settings) -> None:
        """Keep uploads in the state directory of these settings; nothing is made before the first one."""
        self._settings = settings
        self._folder = settings.home / UPLOADS

    def create(self, owner: str, name: str, length: int) -> Upload:
        """Begin an upload.

        Args:
            owner: Id of the principal.
            name: Name of the file, without folders.
            length: Its length in bytes.

        Raises:
            BadParameter: When the name is none.
            TooLarge: When the file, or all files of the owner together, are larger than allowed.
            StorageFull: When the disk has no room for it.
        """
        _check_name(name)
        if length > self._settings.max_upload_bytes:
            most = self._settings.max_upload_bytes
            raise TooLarge(f"A file may have at most {most} bytes; this one has {length}.", maximum=most)
        self._prepare()
        with _locked(self._folder / ".lock", wait=True), needing_room():
            self.sweep()
            self._require_room(owner, length)
            upload = Upload(secrets.token_urlsafe(24), owner, name, length, self._expiry())
            place = self._folder / upload.id
            place.mkdir(mode=_FOLDER_MODE)
            os.close(os.open(place / "data", os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE))
            _write_whole(place / "info.json", json.dumps(asdict(upload)).encode())
        return upload

    def _prepare(self) -> None:
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)

    def _expiry(self) -> float:
        return time.time() + self._settings.upload_expiry_hours * _HOUR

    def _require_room(self, owner: str, length: int) -> None:
        known = list(self._all())
        mine = [u for u in known if u.owner == owner]
        quota = self._settings.upload_quota_bytes
        taken = sum(u.length for u in mine) + incoming.held(self._settings, owner)
        if len(mine) >= MOST_UPLOADS or taken + length > quota:
            raise TooLarge(
                f"Your uploads may be {MOST_UPLOADS} with {quota} bytes in all, with those that jobs still hold; they "
                f"have {taken}. Delete some, or wait for the jobs.",
                maximum=quota,
            )
        promised = sum(u.length - u.offset for u in known)
        free = shutil.disk_usage(self._folder).free - self._settings.upload_reserve_bytes
        if length + promised > free:
            raise full()

    def _all(self) -> Iterator[Upload]:
        for place in self._folder.iterdir() if self._folder.is_dir() else ():
            if _ID.fullmatch(place.name):
                with suppress(UnknownResource):
                    yield _read(place)

    def find(self, owner: str, upload_id: str) -> Upload:
        """An upload of an owner.

        Raises:
            UnknownResource: When there is none, it has expired, or it is somebody else's; all look the same.
        """
        if _ID.fullmatch(upload_id):
            with suppress(UnknownResource):
                upload = _read(self._folder / upload_id)
                if upload.owner == owner and upload.expires > time.time():
                    return upload
        raise _unknown(upload_id)

    def data(self, upload: Upload) -> Path:
        """The file of an upload's bytes; a job takes a link to it."""
        return self._folder / upload.id / "data"

    @contextmanager
    def part(self, owner: str, upload_id: str, offset: int, sha256: bytes | None = None) -> Iterator[Part]:
        """Write a part; the one who opened it says whether it counts (`Part.finish`, `Part.keep`).

        Raises:
            UnknownResource: See `find`.
            UploadLocked: When another request is writing.
            WrongOffset: When the part does not begin where the upload ends.
        """
        place = self._folder / self.find(owner, upload_id).id
        with _locked(place / "lock"):
            upload = _read(place)
            if offset != upload.offset:
                raise WrongOffset(f"The upload ends at byte {upload.offset}; the part begins at {offset}.")
            handle = os.open(place / "data", os.O_WRONLY | os.O_NOFOLLOW)
            try:
                os.ftruncate(handle, upload.offset)
                os.lseek(handle, upload.offset, os.SEEK_SET)
                yield Part(place, upload, sha256, handle)
            finally:
                os.close(handle)

    def delete(self, owner: str, upload_id: str) -> None:
        """Forget an upload.

        Raises:
            UnknownResource: See `find`.
            UploadLocked: When a request is writing.
        """
        place = self._folder / self.find(owner, upload_id).id
        with _locked(place / "lock"):
            shutil.rmtree(place, ignore_errors=True)

    def sweep(self) -> int:
        """Remove expired uploads and broken folders; returns how many."""
        removed = 0
        for place in list(self._folder.iterdir()) if self._folder.is_dir() else ():
            if _ID.fullmatch(place.name) and _is_stale(place, self._settings.upload_expiry_hours * _HOUR):
                with suppress(UploadLocked, OSError), _locked(place / "lock"):
                    shutil.rmtree(place, ignore_errors=True)
                    removed += 1
        return removed

    def gather(self, owner: str, upload_ids: Sequence[str]) -> dict[str, Any]:
        """Put complete uploads side by side under their names, in a folder of their own for one job.

        The uploads stay until `drop`, so that a job that cannot be made costs nothing.

        Returns:
            The place of the job's source.

        Raises:
            UnknownResource: See `find`.
            BadParameter: When one is not complete, two have one name, or it is not clear which file is the main one.
        """
        uploads = [self.find(owner, upload_id) for upload_id in upload_ids]
        partial = next((u for u in uploads if not u.complete), None)
        if partial is not None:
            raise BadParameter(
                f"{partial.name} has {partial.offset} of its {partial.length} bytes; send the rest first."
            )
        main = main_file([u.name for u in uploads])
        files = {u.name: self._folder / u.id / "data" for u in uploads}
        try:
            folder = incoming.take_over(self._settings, owner, files)
        except FileNotFoundError as error:
            # Forgotten by another request, or expired, since it was found.
            raise _unknown(Path(error.filename).parent.name) from None
        return {"folder": folder, "file": main}

    def drop(self, owner: str, upload_ids: Sequence[str]) -> None:
        """Forget uploads that a job has taken over."""
        for upload_id in upload_ids:
            with suppress(UnknownResource, UploadLocked):
                self.delete(owner, upload_id)


def main_file(names: Sequence[str]) -> str:
    """Which of the files of one source is opened: the one that the others are companions of.

    Raises:
        BadParameter: When two files have the same name, or not exactly one is no companion.
    """
    if len({n.lower() for n in names}) != len(names):
        raise BadParameter("Two uploads of one job have the same file name.")
    if len(names) == 1:
        return names[0]
    mains = [n for n in names if Path(n).suffix.lower() not in _COMPANIONS]
    if len(mains) != 1:
        raise BadParameter(
            "The files of one job are one source with its companions, such as .shp with .dbf, .shx, .prj and .cpg; "
            f"{len(mains)} of these {len(names)} files are no companions. Send one job per source."
        )
    return mains[0]


_COMPANIONS = frozenset(
    {".dbf", ".shx", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qpj", ".xml", ".dat", ".map", ".id", ".ind", ".mid"}
    | {".tfw", ".tifw", ".pgw", ".pngw", ".jgw", ".jpgw", ".wld", ".aux", ".ige", ".rrd", ".ovr", ".csvt"}
)


def parse_checksum(header: str) -> bytes:
    """The digest of `Upload-Checksum: sha256 <base64>`.

    Raises:
        BadParameter: When it is another algorithm or no digest.
    """
    algorithm, _, text = header.partition(" ")
    try:
        digest = base64.b64decode(text, validate=True)
    except ValueError:
        digest = b""
    if algorithm != "sha256" or len(digest) != hashlib.sha256().digest_size:
        raise BadParameter("Upload-Checksum is `sha256` and the base64 of the digest.", parameter="Upload-Checksum")
    return digest


def _check_name(name: str) -> None:
    long = len(name.encode("utf-8", "replace")) > 255 - len(".part")
    if not _NAME.fullmatch(name) or name.startswith(".") or long:
        raise BadParameter("A file name has 1 to 200 characters, no folders, and does not begin with a full stop.")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise BadParameter("A file name is text in UTF-8.") from None


def _read(place: Path) -> Upload:
    try:
        info = json.loads((place / "info.json").read_bytes())
        marked = place / "offset"
        info["offset"] = int(marked.read_bytes()) if marked.exists() else 0
        return Upload(**info)
    except (OSError, ValueError, TypeError):
        raise _unknown(place.name) from None


def _is_stale(place: Path, expiry: float) -> bool:
    try:
        return _read(place).expires <= time.time()
    except UnknownResource:
        with suppress(OSError):
            return time.time() - place.stat().st_mtime > expiry
        return False


def _unknown(upload_id: str) -> UnknownResource:
    return UnknownResource(f"There is no upload {upload_id[:40]!r}; POST /uploads begins one.")


def _write_whole(file: Path, content: bytes) -> None:
    """Write a small file so that it is there whole or not at all, and on disk."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
    try:
        try:
            os.write(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.rename(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(file: Path, *, wait: bool = False) -> Iterator[None]:
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, _FILE_MODE)
    except FileNotFoundError:
        raise _unknown(file.parent.name) from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise UploadLocked("Another request is writing to this upload; wait until it ends.") from None
        yield
    finally:
        os.close(handle)
