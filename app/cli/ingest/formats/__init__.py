"""The formats of listening histories: a module each, and a line here."""

from app.cli.ingest.formats import (
    audioscrobbler,
    koito,
    lastfm_csv,
    lastfm_pages,
    lastfmstats,
    librefm,
    listenbrainz,
    maloja,
    own_export,
    pano_scrobbler,
    spotify_account,
    spotify_extended,
    spotify_recently_played,
)
from app.cli.ingest.plays import Format
from app.cli.ingest.reading import Head

FORMATS: tuple[Format, ...] = (
    own_export.FORMAT,
    spotify_extended.FORMAT,
    spotify_account.FORMAT,
    spotify_recently_played.FORMAT,
    listenbrainz.FORMAT,
    lastfm_pages.FORMAT,
    lastfmstats.FORMAT,
    maloja.FORMAT,
    koito.FORMAT,
    pano_scrobbler.FORMAT,
    audioscrobbler.FORMAT,
    lastfm_csv.FORMAT,
    librefm.FORMAT,
)


def recognise(text: str) -> Format | None:
    """The format of a file by its first characters; None where it is none of them."""
    head = Head(text)
    return next((format for format in FORMATS if format.recognises(head)), None)
