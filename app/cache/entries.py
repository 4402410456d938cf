"""An answer as the cache keeps it: bytes and JSON."""

from dataclasses import dataclass
from hashlib import blake2b

import orjson
from flask import Response

# Counted up when the form of an entry changes: an entry of another form is a miss.
FORM = 1

# The list headers, which are made from the same rows as the payload.
HEADERS = ("X-Total-Count", "Link", "X-Window-From", "X-Window-To")


@dataclass(frozen=True)
class Entry:
    """A successful answer: the payload as it is sent, and the headers that belong to it.

    `fresh_until` and `serve_until` are seconds since 1970: between the two the answer is stale, then it is gone.
    """

    payload: bytes
    mimetype: str
    headers: dict[str, str]
    etag: str
    fresh_until: float
    serve_until: float

    @classmethod
    def of(cls, response: Response, fresh_until: float, serve_until: float) -> "Entry":
        """The entry for a response of status 200."""
        payload = response.get_data()
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        return cls(payload, response.mimetype or "", headers, _etag(headers, payload), fresh_until, serve_until)

    @classmethod
    def read(cls, stored: bytes | None) -> "Entry | None":
        """The entry that was dumped; None for nothing, for damaged bytes, and for another form."""
        if stored is None:
            return None
        head, _, payload = stored.partition(b"\n")
        try:
            form, mimetype, headers, etag, fresh_until, serve_until = orjson.loads(head)
            if form == FORM and etag == _etag(headers, payload):
                return cls(payload, mimetype, headers, etag, fresh_until, serve_until)
        except (TypeError, ValueError):
            pass
        return None

    def dump(self) -> bytes:
        """One line of JSON, then the payload."""
        head = [FORM, self.mimetype, self.headers, self.etag, self.fresh_until, self.serve_until]
        return orjson.dumps(head) + b"\n" + self.payload


def _etag(headers: dict[str, str], payload: bytes) -> str:
    """Over the payload and the list headers; it tells damage, too."""
    digest = blake2b(payload, digest_size=16)
    digest.update(orjson.dumps(headers))
    return digest.hexdigest()
