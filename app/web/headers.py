"""Security headers on every answer, and CORS."""

from flask import Flask, Response
from flask_cors import CORS


def policy(*, styles: str = "", images: str = "") -> str:
    """What a page may load: its scripts, styles and requests are this service's own, and no other page may frame it.

    `styles` and `images` are sources beyond that; pictures may stand in data: URLs.
    """
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' {styles}".rstrip(),
            f"img-src 'self' data: {images}".rstrip(),
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


# The headers that a page of another origin may send, in addition to the safe ones.
TAKEN = ["Authorization", "If-None-Match", "X-API-Key", "X-Invalidation-Secret", "X-Request-ID"]

# The headers of an answer that a page of another origin may read.
EXPOSED = [
    "ETag", "Link", "Retry-After", "X-Cache", "X-Computed-At", "X-Request-ID", "X-Total-Count",
    "X-Window-From", "X-Window-To", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
]  # fmt: skip


def harden(response: Response) -> Response:
    """Forbid browsers to guess an answer's type, and restrict what a page may load."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", policy())
    return response


def _vary_by_origin(response: Response) -> Response:
    # Even if the request has no Origin: a browser must not show one page's copy to another.
    response.vary.add("Origin")
    return response


def init_app(app: Flask) -> None:
    """Add the headers, and those of CORS where CORS_ORIGINS names any."""
    app.after_request(harden)
    if origins := app.config["CORS_ORIGINS"]:
        CORS(
            app,
            origins=list(origins),
            methods=["GET", "HEAD", "POST"],
            allow_headers=TAKEN,
            expose_headers=EXPOSED,
            max_age=600,
            always_send=False,
            vary_header=False,
        )
        app.after_request(_vary_by_origin)
