"""Headers of security, on every answer."""

from flask import Flask, Response
from flask_cors import CORS

# For pages, of which there is one: its scripts, styles and requests are this service's own, and no page may frame it.
# Swagger UI's style sheet has its pictures in data: URLs.
PAGE_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)

# What a page of another origin may send, besides what every page may.
TAKEN = ["Authorization", "If-None-Match", "X-API-Key", "X-Invalidation-Secret", "X-Request-ID"]

# What a page of another origin may read of an answer, besides its body.
EXPOSED = [
    "ETag", "Link", "Retry-After", "X-Cache", "X-Request-ID", "X-Total-Count", "X-Window-From", "X-Window-To",
    "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset",
]  # fmt: skip


def harden(response: Response) -> Response:
    """Let browsers take an answer for nothing but what it says it is."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def _vary_by_origin(response: Response) -> Response:
    # Also where there is no Origin: a browser must not take one page's copy for another's.
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
