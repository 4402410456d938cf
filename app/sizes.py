"""How large a request may be. No route takes a body; what a client sends along is bounded all the same."""

from flask import Flask, abort, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

# Bytes of a body, and of a request line without its line end. Gunicorn's limit_request_line is the same.
MOST_BODY, MOST_LINE = 64 * 1024, 8190
TOO_LONG = f"The request line may have up to {MOST_LINE} bytes"


def check() -> None:
    """Abort with 414 where the request line is too long, and with 413 where the body is too large.

    With 408 where a body of no declared length does not come at once, as gunicorn's worker waits for none, and with 400
    where it is not what it is said to be.
    """
    line = f"{request.method} {request.environ.get('RAW_URI', request.full_path)} HTTP/1.1"
    if len(line) > MOST_LINE:
        abort(414, TOO_LONG)
    length = request.content_length or 0
    if "Transfer-Encoding" in request.headers:
        try:
            length = len(request.get_data())  # only the end tells
        except ClientDisconnected:
            abort(408, "A body whose length is not declared has to come at once")
        except ParseException:
            abort(400, "The body is not made of chunks")
    if length > MOST_BODY:
        abort(413, f"The body may have up to {MOST_BODY} bytes")


def init_app(app: Flask) -> None:
    """Look at the size of every request. To be called after authentication: others are told nothing."""
    # One more than is allowed: that many are read of a body without a declared length, and then no more.
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY + 1
    app.before_request(check)
