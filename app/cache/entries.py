"""An answer as the cache keeps it: bytes and JSON."""

from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

import orjson
from flask import Response

# Counted up when the form of an entry changes: an entry of another form is a miss.
FORM = 2

# Of a view's headers these are kept: the list headers, which are made from the same rows as the payload.
HEADERS = ("X-Total-Count", "Link", "X-Window-From", "X-Window-To", "X-Computed-At")


@dataclass(frozen=True, slots=True)
class Entry:
    """A successful answer: the payload as it is sent, and the headers that belong to it.

    `headers` are pairs, the payload's own among them. `fresh_until` and `serve_until` are seconds since 1970: between
    the two the answer is stale, then it is gone.
    """

    payload: bytes
    headers: tuple[tuple[str, str], ...]
    etag: str
    fresh_until: float
    serve_until: float

    @classmethod
    def of(cls, response: Response, fresh_until: float, serve_until: float) -> "Entry":
        """The entry for a response of status 200."""
        payload = response.get_data()
        kept = [(name, response.headers[name]) for name in HEADERS if name in response.headers]
        digest = blake2b(payload, digest_size=16)
        digest.update(orjson.dumps(kept))
        own = [("Content-Type", response.content_type or ""), ("Content-Length", str(len(payload)))]
        return cls(payload, (*own, *kept), digest.hexdigest(), fresh_until, serve_until)

    @classmethod
    def read(cls, stored: bytes | None) -> "Entry | None":
        """The entry that was dumped; None for nothing, for damaged bytes, and for another form."""
        if stored is None:
            return None
        checksum, _, line = stored.partition(b" ")
        if checksum != b"%08x" % crc32(line):
            return None
        head, _, payload = line.partition(b"\n")
        try:
            parts = orjson.loads(head)
        except ValueError:
            return None
        match parts:
            case [form, list(headers), str(etag), float(fresh_until), float(serve_until)] if form == FORM and all(
                isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in headers
            ):
                return cls(payload, tuple(map(tuple, headers)), etag, fresh_until, serve_until)
        return None

    def dump(self) -> bytes:
        """A checksum and one line of JSON, then the payload."""
        head = orjson.dumps([FORM, self.headers, self.etag, self.fresh_until, self.serve_until])
        line = head + b"\n" + self.payload
        return b"%08x %s" % (crc32(line), line)
