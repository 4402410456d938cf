"""Where an archive lies: a folder, or a bucket of S3."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pyarrow import fs

from app.archive.manifest import MANIFEST, Manifest

# The files that are an archive's. Whatever else lies there is somebody else's.
OWN = re.compile(r"(listens/[0-9-]+|catalogue)/[a-z0-9-]+\.parquet|manifest\.json|unfinished(\.json|-\w+/file)")


class Store:
    """The files of ARCHIVE_URL, by their names in it. A file appears whole or not at all.

    S3 takes its credentials and its region from the environment, as Amazon's own programs do. Raises OSError for what
    the file system or S3 refuses.
    """

    def __init__(self, url: str) -> None:
        if url.startswith("s3://"):
            self.folder = None
            self.filesystem, self._root = fs.FileSystem.from_uri(url)
        else:
            self.folder = Path(url).absolute()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.filesystem, self._root = fs.LocalFileSystem(), str(self.folder)

    def path(self, name: str) -> str:
        """The path of a file on `filesystem`."""
        return f"{self._root}/{name}"

    def manifest(self, name: str = MANIFEST) -> Manifest | None:
        """The manifest, None where there is none."""
        try:
            with self.filesystem.open_input_stream(self.path(name)) as file:
                return Manifest.load(file.read())
        except FileNotFoundError:
            return None

    def write_manifest(self, manifest: Manifest, name: str = MANIFEST) -> None:
        """Replace the manifest."""
        with self.temporary() as path:
            path.write_bytes(manifest.dump())
            self.publish(path, name)

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A path to write a file to before it is published; in a folder's own file system."""
        with TemporaryDirectory(prefix="unfinished-", dir=self.folder) as folder:
            yield Path(folder, "file")

    def publish(self, path: Path, name: str) -> None:
        """Give a written file its name, at once for all who read."""
        if self.folder is None:
            fs.copy_files(str(path), self.path(name), fs.LocalFileSystem(), self.filesystem)
            return
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _sync(path)
        os.replace(path, target)
        _sync(target.parent)

    def prune(self, manifest: Manifest | None) -> list[str]:
        """Delete all files of an archive that the manifest does not name; their names."""
        kept = {MANIFEST, *(file.name for file in manifest.files)} if manifest else set[str]()
        found = self.filesystem.get_file_info(fs.FileSelector(self._root, allow_not_found=True, recursive=True))
        names = {info.path.removeprefix(self._root).lstrip("/") for info in found if info.is_file}
        stale = sorted(name for name in names - kept if OWN.fullmatch(name))
        for name in stale:
            self.filesystem.delete_file(self.path(name))
        for folder in self.folder.glob("unfinished-*/") if self.folder else ():
            folder.rmdir()
        return stale


def _sync(path: Path) -> None:
    """Have what was written, or the names in a folder, outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
