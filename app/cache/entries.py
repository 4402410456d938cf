"""An answer as the cache keeps it: bytes and JSON, so that a shared backend can never make this service run code."""

from dataclasses import dataclass

import orjson
from flask import Response

# Counted up when the form of an entry changes: an entry of another form is a miss.
FORM = 1


@dataclass(frozen=True)
class Entry:
    """A successful answer: its media type, the headers that belong to its payload, and the payload as it is sent."""

    mimetype: str
    headers: dict[str, str]
    payload: bytes

    # The list headers, which are made from the same rows as the payload.
    HEADERS = ("X-Total-Count", "Link", "X-Window-From", "X-Window-To")

    @classmethod
    def of(cls, response: Response) -> "Entry":
        """The entry for a response of status 200."""
        headers = {name: response.headers[name] for name in cls.HEADERS if name in response.headers}
        return cls(response.mimetype or "", headers, response.get_data())

    @classmethod
    def read(cls, stored: object) -> "Entry | None":
        """The entry that was dumped; None for nothing, for damaged bytes, and for another form."""
        if not isinstance(stored, bytes):
            return None
        head, _, payload = stored.partition(b"\n")
        try:
            form, mimetype, headers = orjson.loads(head)
        except (orjson.JSONDecodeError, TypeError, ValueError):
            return None
        return cls(mimetype, headers, payload) if form == FORM else None

    def dump(self) -> bytes:
        """One line of JSON, then the payload."""
        return orjson.dumps([FORM, self.mimetype, self.headers]) + b"\n" + self.payload

    def response(self) -> Response:
        """The answer once more."""
        return Response(self.payload, mimetype=self.mimetype, headers=self.headers)
