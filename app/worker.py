"""Gunicorn's threaded worker, made proof against clients that are slow, and against losing requests when it stops.

Gunicorn gives a connection to a thread as soon as its first byte is there, and the thread then waits for the rest of
the request for as long as the client likes: a few dozen clients that send a byte now and then hold all threads. Here a
thread gets a request whose headers are whole; until then the connection waits where it costs a file descriptor.

`/health` tells that the process is alive. So it has a thread of its own: a database that keeps all others waiting is no
reason to have every container replaced.
"""

import errno
import resource
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import TConn, ThreadWorker

from app.refusals import refusal

# Seconds from a request's first byte (or the connection, where there is none yet) until its headers are whole; that a
# body is waited for in all, which no route takes; and that a connection whose answer is sent is kept for the client to
# close, so that the answer is not cut short.
HEADERS_WITHIN, BODY_WITHIN, CLOSED_WITHIN = 10.0, 0.02, 2.0
# Seconds in which a connection is there whose client has begun to make it when the server was told to end.
BEGUN_WITHIN = 0.1
# Seconds that a thread waits for a client to read some of its answer.
WAIT = 5
# Bytes of headers that are waited for, and of a body that nobody read; and the most connections that wait to be closed.
LONGEST_HEADERS, LONGEST_BODY, MOST_CLOSING = 65536, 65536, 200
# File descriptors, where more are allowed than a process begins with: for those, and gunicorn's `worker_connections`.
DESCRIPTORS = 4096

END = b"\r\n\r\n"
PROBES = (b"GET /health ", b"HEAD /health ")


class Connection(TConn):  # type: ignore[misc]
    """A connection, and what has been read of its next request."""

    def __init__(self, worker: "Worker", client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(worker.cfg, client, address, server)
        self.worker = worker
        self.received = bytearray()
        self.asks_health = False

    def close(self, graceful: bool = False) -> None:
        if graceful:
            self.worker.close_later(self)
        else:
            super().close()


class BodySocket:
    """The socket of a connection while a body is read: waited for so long in all, be it that something trickles in."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._deadline = time.monotonic() + BODY_WITHIN

    def recv(self, size: int) -> bytes:
        """What the client sends next, or has sent. Raises TimeoutError where that takes too long."""
        self._client.settimeout(max(0, self._deadline - time.monotonic()))
        try:
            return self._client.recv(size)
        except BlockingIOError:
            raise TimeoutError from None
        finally:
            self._client.setblocking(True)


@contextmanager
def _hurried(conn: Any) -> Iterator[None]:
    """Let the parser of a connection wait for a body no longer than that."""
    unreader = conn.parser.unreader
    unreader.sock = BodySocket(conn.sock)
    try:
        yield
    finally:
        unreader.sock = conn.sock


class Worker(ThreadWorker):  # type: ignore[misc]
    """Threads for whole requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Those whose request is not whole, and those that are to be closed, in the order of their timeouts.
        self._incomplete: dict[Connection, None] = {}
        self._closing: dict[Connection, None] = {}

    def init_process(self) -> None:
        """Begin, in the worker's own process."""
        few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= few < DESCRIPTORS:  # less than 0 is no limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, most) if most >= 0 else DESCRIPTORS, most))
        self._probes = ThreadPoolExecutor(1, "probes")
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Take a new connection, and look whether its request is there already."""
        if self.cfg.is_ssl:  # what comes first is no request
            super().accept(listener)
            return
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._free_descriptor()
            elif error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                raise
            return
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            client.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", WAIT, 0))
        self.nr_conns += 1
        self._await(Connection(self, client, address, listener.getsockname()))
        if self.nr_conns >= self.worker_connections and self._incomplete:
            # There is room for who comes next: the one that has been waited for longest gives it.
            self._drop(next(iter(self._incomplete)))

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Begin to read the next request of a connection that was kept alive."""
        if not isinstance(conn, Connection):
            super().on_client_socket_readable(conn, client)
            return
        if conn not in self.keepalived_conns:  # it has just been closed
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep or close a connection whose request is answered."""
        if isinstance(conn, Connection) and not fs.cancelled() and fs.exception() is None and fs.result() is True:
            conn.received += conn.parser.unreader.take_buffered()
            if conn.received:  # of the next request
                conn.sock.setblocking(False)
                self._await(conn)
                return
        super().finish_request(conn, fs)

    def close_later(self, conn: Connection) -> None:
        """Close a connection once the client has read the answer and closed its end, or has had time to."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._discard, conn))
        except (OSError, KeyError, ValueError):
            conn.close()
            return
        self.nr_conns += 1  # a worker that stops waits for it
        conn.timeout = time.monotonic() + CLOSED_WITHIN
        self._closing[conn] = None
        if len(self._closing) > MOST_CLOSING:
            self._end_closing(next(iter(self._closing)))

    def murder_pending(self) -> None:
        """Close what has been waited for long enough."""
        super().murder_pending()
        now = time.monotonic()
        while self._incomplete and (conn := next(iter(self._incomplete))).timeout <= now:
            self._drop(conn)
        while self._closing and (conn := next(iter(self._closing))).timeout <= now:
            self._end_closing(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or leave them; a worker that stops takes those that wait, and closes the door."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            time.sleep(BEGUN_WITHIN)
            for listener in self.sockets:
                self._take_what_waits(listener)
                # Were it left open, the kernel would go on to accept connections that nobody will look at.
                listener.close()
            deadline = time.monotonic() + CLOSED_WITHIN
            for conn in self._incomplete:
                conn.timeout = min(conn.timeout, deadline)

    def enqueue_req(self, conn: Any) -> None:
        """Give a request to a thread."""
        if isinstance(conn, Connection) and conn.asks_health:
            answered = self._probes.submit(self.handle, conn)
            answered.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))
        else:
            super().enqueue_req(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Refuse what is no request, or what the server has failed over."""
        with suppress(OSError):
            write_nonblock(client, refusal(exc))

    def _take_what_waits(self, listener: Any) -> None:
        taken = -1
        while taken < self.nr_conns < self.worker_connections:
            taken = self.nr_conns
            self.accept(listener)

    def _await(self, conn: Connection) -> None:
        """Read a request's headers, as they come; a thread gets it when they are whole."""
        conn.timeout = time.monotonic() + HEADERS_WITHIN
        conn.sock.setblocking(False)
        if conn.received and self._is_whole(conn, 0):
            self._hand_over(conn)
        elif not self._receive(conn):
            self._incomplete[conn] = None
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._go_on, conn))

    def _go_on(self, conn: Connection, _client: Any) -> None:
        if conn not in self._incomplete:  # it has just been dropped
            return
        self.poller.unregister(conn.sock)  # before a thread has it
        if self._receive(conn):
            del self._incomplete[conn]
        else:
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._go_on, conn))

    def _receive(self, conn: Connection) -> bool:
        """Read what is there; whether that has decided what becomes of the connection."""
        try:
            data = conn.sock.recv(LONGEST_HEADERS)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        length = len(conn.received)
        conn.received += data
        if data and not self._is_whole(conn, length):
            return False
        if data:
            self._hand_over(conn)
        else:
            self.nr_conns -= 1
            conn.close()
        return True

    def _is_whole(self, conn: Connection, length: int) -> bool:
        """Whether a thread can make an end of the request without waiting; `length` bytes have been looked at."""
        received = conn.received
        # An empty line may come before a request (RFC 9112 section 2.2).
        if received.find(END, max(2, length - len(END))) >= 0 or len(received) > LONGEST_HEADERS:
            return True
        # The parser refuses a first line that is too long, and wants no more of it.
        return len(received) > self.cfg.limit_request_line + 2 and b"\r\n" not in received[2:]

    def _hand_over(self, conn: Connection) -> None:
        data, conn.received = bytes(conn.received), bytearray()
        if END not in data[2:] and b"\r\n" in data[2:]:
            self.handle_error(None, conn.sock, conn.client, LimitRequestHeaders("max buffer headers"))
            self.nr_conns -= 1
            self.close_later(conn)
            return
        conn.init()
        conn.parser.unreader.unread(data)
        conn.data_ready = True
        conn.asks_health = data.lstrip(b"\r\n").startswith(PROBES)
        self.enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request."""
        with _hurried(conn):
            return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Whether the connection can be used for another request: not where a body that nobody read keeps coming."""
        with _hurried(conn):
            try:
                return bool(keepalive and conn.parser.finish_body(max_bytes=LONGEST_BODY))
            except ParseException:  # of the body: the request has its answer
                return False

    def _free_descriptor(self) -> None:
        """Close a connection that is waited for: one whose request is not whole, or else one that is kept."""
        if self._incomplete:
            self._drop(next(iter(self._incomplete)))
        elif self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()

    def _drop(self, conn: Connection) -> None:
        del self._incomplete[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def _discard(self, conn: Connection, _client: Any) -> None:
        if conn not in self._closing:
            return
        try:
            if conn.sock.recv(LONGEST_HEADERS):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end_closing(conn)

    def _end_closing(self, conn: Connection) -> None:
        del self._closing[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
