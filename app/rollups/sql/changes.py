"""What the changes that are still to be folded in make of the rollups, as SQL.

The same text answers questions (a rollup and its changes are what the live tables say) and folds the changes in.
"""

from collections.abc import Collection

from app.models.rollups import Kind
from app.rollups.sql import load

ONE_WINDOW = (
    "SELECT CAST(:{name}id AS integer) AS id, CAST(:{name}starts AS timestamp) AS starts,"
    " CAST(:{name}ends AS timestamp) AS ends"
)


def ranking_changes(windows: str, kinds: Collection[Kind], *, catalogue: bool) -> str:
    """`window_id`, `kind`, `id`, `plays` and `listen_time_ms` to add to what is counted of `windows`.

    `windows` selects `id`, `starts` and `ends`. `catalogue` says whether the catalogue has changes, too.
    """
    return _changes("ranking_changes", windows, ", ".join(f"{kind:d}" for kind in kinds), catalogue=catalogue)


def slot_changes(windows: str, *, catalogue: bool) -> str:
    """`slot`, `plays` and `listen_time_ms` to add to the slots in the one span that `windows` selects."""
    return _changes("slot_changes", windows, "0", catalogue=catalogue)


def _changes(name: str, windows: str, kinds: str, *, catalogue: bool) -> str:
    touched, by_track, timed = "SELECT DISTINCT track_id FROM plays", "by_track", "timed"
    if catalogue:
        touched = "SELECT track_id FROM plays UNION SELECT track_id FROM changed_tracks"
        by_track, timed = "by_track_and_catalogue", "timed_and_catalogue"
    ctes = [load("listen_changes", touched=touched, kinds=kinds)]
    if catalogue:
        ctes = [load("catalogue_before"), *ctes, load("catalogue_changes", kinds=kinds)]
    return load(name, windows=windows, changes=",\n".join(ctes), kinds=kinds, by_track=by_track, timed=timed)


def first_changes(kind: Kind) -> str:
    """`id` and `played_at` of the tracks, or the primary artists, whose first listen may be another one now."""
    tracks = load("first_changes_of_tracks")
    return tracks if kind is Kind.TRACK else load("first_changes_of_artists", tracks=tracks)
