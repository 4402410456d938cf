"""What depends on how a client asked: texts for numbers, and the URLs of other pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, current_app, request

from app.domain.audience import Audience
from app.domain.ranking import MAX_OFFSET, Page
from app.domain.timezones import format_instant
from app.domain.windows import Window
from app.services.listing import Listing
from app.services.playback import Playback


def listen_time(measure: Callable[..., int]) -> Callable[..., int | str]:
    """A measure of a listen time in ms, or of its text where `as_string` is asked for."""

    @wraps(measure)
    def presented(session: Any, *, as_string: bool, **question: Any) -> int | str:
        milliseconds = measure(session, **question)
        return _duration(milliseconds) if as_string else milliseconds

    return presented


def keyset_pages(measure: Callable[..., Playback]) -> Callable[..., dict[str, Any]]:
    """A measure of one user's pages that each name where the next one begins, as a URL.

    As the cache keeps it, for all callers: `links_as_asked` puts the prefix before it.
    """

    @wraps(measure)
    def presented(session: Any, *, audience: Audience, limit: int, **question: Any) -> dict[str, Any]:
        playback = measure(session, audience=audience, limit=limit, **question)
        if playback.next is None:
            return {"items": playback.items, "next": None}
        values = {"user_id": audience.user_id, "before": format_instant(playback.next), "limit": limit}
        if audience.subject is not None:
            values[audience.subject.kind] = audience.subject.id
        url = current_app.url_map.bind("").build(str(request.endpoint), values)  # without a prefix
        return {"items": playback.items, "next": url}

    return presented


def list_headers(listing: Listing[Any], page: Page, window: Window | None) -> dict[str, str]:
    """`X-Total-Count`, `Link`, the ends of a window where they are not open, and when a list was computed ahead."""
    headers = {"X-Total-Count": str(listing.total)}
    if link := _link(page, listing.total):
        headers["Link"] = link
    if window and window.start is not None:
        headers["X-Window-From"] = format_instant(window.start)
    if window and window.end is not None:
        headers["X-Window-To"] = format_instant(window.end)
    if listing.computed_at is not None:
        headers["X-Computed-At"] = format_instant(listing.computed_at)
    return headers


def _link(page: Page, total: int) -> str:
    """RFC 8288 links to the first, previous, next and last page, as far as they exist and may be asked for.

    As the cache keeps them, for all callers: `links_as_asked` makes URLs of them.
    """
    if not total:
        return ""
    last = (total - 1) // page.limit * page.limit
    offsets = {"first": 0}
    if page.offset > 0:
        offsets["prev"] = min(max(page.offset - page.limit, 0), last)
    if page.offset + page.limit < total:
        offsets["next"] = page.offset + page.limit
    offsets["last"] = last
    return ", ".join(
        f'<?limit={page.limit}&offset={offset}>; rel="{relation}"'
        for relation, offset in offsets.items()
        if offset <= MAX_OFFSET
    )


def links_as_asked(view: Callable[..., Response]) -> Callable[..., Response]:
    """A view whose `Link` and `next` have the prefix of the request; the former also its path and other parameters."""

    @wraps(view)
    def presented(**question: Any) -> Response:
        response = view(**question)
        if link := response.headers.get("Link"):
            others = {name: value for name, value in request.args.items() if value and name not in {"limit", "offset"}}
            path = quote(request.root_path + request.path)
            kept = f"&{urlencode(others)}" if others else ""
            response.headers["Link"] = link.replace("<?", f"<{path}?").replace(">", f"{kept}>")
        if request.root_path and response.data:
            # A member, and no text that looks like it: a text has its quotation marks escaped.
            prefixed = b'"next":"%s/' % quote(request.root_path).encode()
            response.data = response.data.replace(b'"next":"/', prefixed)
        return response

    return presented


def _duration(milliseconds: int) -> str:
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h {minutes}m {seconds}s"
