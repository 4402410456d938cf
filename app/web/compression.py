"""Compressed answers, by Flask-Compress."""

from flask import Flask, Response, request

from app.extensions import compress

# In the order of preference.
ALGORITHMS = ["zstd", "br", "gzip"]

# A 304 is the cache's own affair, or that of `_compare`. No HTML: an answer to OPTIONS is an empty page.
COMPRESSION = {
    "COMPRESS_ALGORITHM": ALGORITHMS,
    "COMPRESS_ALGORITHM_STREAMING": ALGORITHMS,  # files, too
    "COMPRESS_MIMETYPES": [
        "application/json",
        "application/problem+json",
        "text/css",
        "text/javascript",
        "image/svg+xml",
    ],
    "COMPRESS_EVALUATE_CONDITIONAL_REQUEST": False,
}


def _negotiate(response: Response) -> Response:
    """Leave Flask-Compress one encoding to choose: it takes one of `;q=0` too, and compresses a part of a file."""
    best = request.accept_encodings.best_match([*ALGORITHMS, "identity"], "identity")
    request.environ["HTTP_ACCEPT_ENCODING"] = "identity" if response.status_code == 206 else best
    return response


def _compare(response: Response) -> Response:
    """A 304 for who has a file as it is compressed now: Flask has compared the tag of the file as it lies there."""
    is_file = request.endpoint is not None and request.endpoint.endswith("static")
    if is_file and response.status_code == 200:
        response.make_conditional(request)
    return response


def init_app(app: Flask) -> None:
    """Compress what is long enough, for callers that take it."""
    app.config.from_mapping(COMPRESSION)
    # The last one runs first.
    app.after_request(_compare)
    compress.init_app(app)
    app.after_request(_negotiate)
