"""The files to load: those of folders, the entries of zips, and standard input."""

import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from app.cli.ingest.reading import FileError

STDIN = "-"
# JSON packs to a twentieth of its size; what unpacks to more than this many times its own is there to fill a disk.
MOST_UNPACKED = 250
IS_ENCRYPTED = 0x1


class Source(NamedTuple):
    """A file: its name, its size in bytes, and what opens it, once or more. `open` may raise FileError and OSError."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def sources(path: str, stack: ExitStack) -> list[Source]:
    """The files at a path; the zips among them stay open as long as the stack.

    A file that is none, or cannot be opened, is a source whose `open` says so. Links in folders are not followed.
    """
    if path == STDIN:
        return _of(STDIN, _stdin(stack), stack)
    if not Path(path).is_dir():
        return _of(path, partial(_open, path), stack)
    files = [
        os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names if _is_own(folder, name)
    ]
    return [source for file in sorted(files) for source in _of(file, partial(_open, file), stack)]


def _of(name: str, open_: Callable[[], IO[bytes]], stack: ExitStack) -> list[Source]:
    """The file itself, or the entries of the zip that it is."""
    try:
        with ExitStack() as opened:
            file = opened.enter_context(open_())
            if not zipfile.is_zipfile(file):
                return [Source(name, file.seek(0, os.SEEK_END), open_)]
            archive = opened.enter_context(zipfile.ZipFile(file))
            stack.push(opened.pop_all())
    except (OSError, FileError, zipfile.BadZipFile) as error:
        return [_broken(name, str(getattr(error, "strerror", None) or error))]
    entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
    return [_entry(f"{name}/{entry.filename}", archive, entry) for entry in entries if not entry.is_dir()]


def _entry(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Source:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return _broken(name, "its path leads out of the zip")
    if entry.flag_bits & IS_ENCRYPTED:
        return _broken(name, "encrypted")
    if entry.file_size > MOST_UNPACKED * max(entry.compress_size, 100):
        return _broken(name, f"unpacks to more than {MOST_UNPACKED} times its size")
    return Source(name, entry.file_size, lambda: archive.open(entry))


def _broken(name: str, why: str) -> Source:
    def refuse() -> IO[bytes]:
        raise FileError(why)

    return Source(name, 0, refuse)


def _is_own(folder: str, name: str) -> bool:
    return not os.path.islink(os.path.join(folder, name))


def _open(path: str) -> IO[bytes]:
    if os.path.exists(path) and not os.path.isfile(path):
        raise FileError("not a file")
    return open(path, "rb")


def _stdin(stack: ExitStack) -> Callable[[], IO[bytes]]:
    """Standard input in a file without a name: a zip is read from its end, and a format told before it is read."""
    file = TemporaryFile()  # noqa: SIM115  it is open as long as the stack
    stack.callback(file.close)
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.flush()

    def reopen() -> IO[bytes]:
        again = os.fdopen(os.dup(file.fileno()), "rb")
        again.seek(0)
        return again

    return reopen
