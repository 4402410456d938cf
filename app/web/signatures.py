"""Signed URLs: who has one may see one card until a certain time, without a key."""

import hashlib
import hmac
import re
import time
from base64 import urlsafe_b64encode
from urllib.parse import urlsplit

CARDS = "/insights/cards/"
MARK = "&signature="


def signature_of(secret: str, text: str) -> str:
    """HMAC-SHA256 of a card's path and query up to the signature, as URL-safe base64 without padding."""
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def signed(secret: str, url: str, seconds: int) -> str:
    """A card's URL, which is good for some seconds from now on. Raises ValueError for another URL, or a signed one."""
    parts = urlsplit(url)
    prefix, mark, card = parts.path.partition(CARDS)
    if not mark or not card or re.search("(^|&)(expires|signature)=", parts.query):
        raise ValueError(f"{url} must be the URL of a card, without a signature: {CARDS}...")
    query = f"{parts.query}&" if parts.query else ""
    text = f"{CARDS}{card}?{query}expires={int(time.time()) + seconds}"
    return parts._replace(path=prefix, query="").geturl() + text + MARK + signature_of(secret, text)


def is_signed(secret: str | None, path: str, query: str, now: float) -> bool:
    """Whether a query ends in a signature that is right and has not expired; `path` is without a prefix."""
    given, mark, signature = query.rpartition(MARK)
    expires = re.search("(?:^|&)expires=([0-9]{1,12})$", given)
    if not secret or not mark or not expires or int(expires[1]) < now:
        return False
    # As bytes: a text that is not ASCII cannot be compared.
    return hmac.compare_digest(signature.encode(), signature_of(secret, f"{path}?{given}").encode())
