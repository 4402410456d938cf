"""A caller on this machine that keeps its connection, as songswap-app's `requests` session does."""

import http.client
import time
from types import TracebackType
from typing import NamedTuple, Self


class Answer(NamedTuple):
    """What a caller gets, and after how many milliseconds it has all of it."""

    status: int
    cache: str | None
    body: bytes
    ms: float


class Client:
    """One connection to a server on this machine, which may take `timeout` seconds to answer."""

    def __init__(self, port: int, timeout: float = 3600) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def get(self, path: str) -> Answer:
        """The answer to a GET. Raises ConnectionError where there is none; the next one has a new connection."""
        started = time.perf_counter()
        try:
            self._connection.request("GET", path)
            response = self._connection.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise ConnectionError(repr(error)) from error
        return Answer(response.status, response.headers["X-Cache"], body, (time.perf_counter() - started) * 1000)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
