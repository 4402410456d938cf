"""What the changes that are still to be folded in make of the rollups, as SQL.

The same text answers questions (a rollup and its changes are what the live tables say) and folds the changes in. All of
it reads one snapshot, in which the rollups are those of an earlier state S of the live tables, and the logs hold each
change since S:

- a listen that came or went counts for what the catalogue now says of its track;
- a track of which the catalogue says something else now (its artists, their genres, its duration) leaves with all it
  counted for in S, and comes back with what it counts for now. What S said is what is said now, less the changes.
"""

from collections.abc import Collection

from app.models.rollups import Kind
from app.rollups.spans import EVER, Span


def _log(name: str) -> str:
    """The rows of a log, as what follows FROM: to the planner, a hundred more than it knows of.

    What it knows may be of an instant at which the log was empty. It would go through all of a log's changes for each
    of them then, or of what became of them: with 20,000, for hours.
    """
    none = f"SELECT (CAST(NULL AS insights.{name})).* FROM generate_series(1, (SELECT 0)) LIMIT 100"
    return f"(SELECT * FROM insights.{name} UNION ALL ({none})) {name}"


ONE_WINDOW = (
    "SELECT CAST(:{name}id AS integer) AS id, CAST(:{name}starts AS timestamp) AS starts,"
    " CAST(:{name}ends AS timestamp) AS ends"
)


# The duration of a track `t`, in ms, as it counts: a negative one counts as 0.
LASTING = "greatest(t.duration_ms, 0)"


def slot_of(instant: str) -> str:
    """The number of an instant's slot."""
    return f"CAST(floor(extract(epoch FROM {instant}) / 900) AS integer)"


def during(instant: str) -> str:
    """Whether an instant lies in the window `w`."""
    return f"{instant} >= w.starts AND {instant} < w.ends"


def within(instant: str, span: Span) -> str:
    """Whether an instant lies in a span."""
    return f"{instant} >= timestamp '{span.starts}' AND {instant} < timestamp '{span.ends}'"


# The columns of a signed listen: +1 for one that came, -1 for one that went.
PENDING = (
    "pending AS (SELECT w.id AS window_id, user_id, track_id, played_at, change"
    f" FROM {_log('listen_changes')} JOIN windows w ON {during('played_at')})"
)


def listener_id(user_id: str) -> str:
    """A user's id as an id of a ranking."""
    return f"lpad(CAST({user_id} AS text), 10, '0')"


# The listens in S of the tracks of which the catalogue says something else now: `window_id`, `track_id` and `plays`.
RANKED_BEFORE = (
    "SELECT w.id AS window_id, c.track_id, CAST(r.plays AS bigint) AS plays"
    " FROM changed_tracks c CROSS JOIN windows w JOIN insights.rankings r"
    f" ON r.window_id = w.id AND r.kind = {Kind.TRACK:d} AND r.id = c.track_id"
)


def ranking_changes(windows: str, kinds: Collection[Kind], *, catalogue: bool) -> str:
    """`window_id`, `kind`, `id`, `plays` and `listen_time_ms` to add to what is counted of `windows`.

    `windows` selects `id`, `starts` and `ends`. `catalogue` says whether the catalogue has changes, too.
    """
    by_track = [kind for kind in Kind if kind in kinds and kind is not Kind.LISTENER]
    parts = []
    if by_track:
        if catalogue:
            parts += [
                _counted("plays_before", "meaning_before", sign=-1),
                _counted("plays_after", "meaning_after", sign=1),
            ]
        clean = "WHERE NOT EXISTS (SELECT FROM changed_tracks c WHERE c.track_id = p.track_id)" if catalogue else ""
        parts.append(_counted("plays", "meaning", sign=1, where=clean))
    if Kind.LISTENER in kinds:
        user = listener_id("user_id")
        parts.append(
            f"SELECT window_id, {Kind.LISTENER:d} AS kind, {user} AS id, change AS plays, listen_time_ms FROM timed"
        )
    ctes = [
        f"windows AS ({windows})",
        PENDING,
        *(catalogue_changes(with_tracks=bool(by_track)) if catalogue else []),
    ]
    if by_track:
        ctes += [
            "plays AS (SELECT window_id, track_id, sum(change) AS plays FROM pending"
            " GROUP BY window_id, track_id HAVING sum(change) <> 0)",
            _meaning("meaning", "SELECT DISTINCT track_id FROM plays", by_track),
        ]
        if catalogue:
            ctes += [
                f"plays_before AS ({RANKED_BEFORE})",
                "plays_after AS (SELECT window_id, track_id, sum(plays) AS plays FROM (SELECT * FROM plays_before"
                " UNION ALL SELECT * FROM plays WHERE track_id IN (SELECT track_id FROM changed_tracks)) p"
                " GROUP BY window_id, track_id)",
                _meaning_before(by_track),
                _meaning("meaning_after", "SELECT track_id FROM changed_tracks", by_track),
            ]
    if Kind.LISTENER in kinds:
        ctes.append(f"timed AS ({_timed(catalogue=catalogue)})")
    return f"""
        WITH {", ".join(ctes)}
        SELECT window_id, CAST(kind AS smallint) AS kind, CAST(id AS varchar(120)) AS id,
            CAST(sum(plays) AS integer) AS plays, CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
        FROM ({" UNION ALL ".join(parts)}) contributions
        GROUP BY window_id, kind, id
        HAVING sum(plays) <> 0 OR sum(listen_time_ms) <> 0
    """


def slot_changes(windows: str, *, catalogue: bool) -> str:
    """`slot`, `plays` and `listen_time_ms` to add to the slots in the one span that `windows` selects."""
    ctes = [
        f"windows AS ({windows})",
        PENDING,
        *(catalogue_changes(with_tracks=False) if catalogue else []),
        f"timed AS ({_timed(catalogue=catalogue)})",
    ]
    return f"""
        WITH {", ".join(ctes)}
        SELECT {slot_of("played_at")} AS slot, CAST(sum(change) AS integer) AS plays,
            CAST(sum(listen_time_ms) AS bigint) AS listen_time_ms
        FROM timed GROUP BY 1 HAVING sum(change) <> 0 OR sum(listen_time_ms) <> 0
    """


def first_changes(kind: Kind) -> str:
    """`id` and `played_at` of the tracks, or the primary artists, whose first listen may be another one now.

    `played_at` is null where none is left. A listen that came can only be earlier than the first one; after one that
    went, the live listens of the track tell, which are read in one pass where no index finds them.
    """
    tracks = f"""
        WITH touched AS (
            SELECT track_id, min(played_at) FILTER (WHERE change > 0) AS came, bool_or(change < 0) AS lost
            FROM {_log("listen_changes")} GROUP BY track_id
        ), left_over AS (
            SELECT h.track_id, min(h.played_at) AS played_at FROM "History" h
            WHERE h.track_id IN (SELECT track_id FROM touched WHERE lost) AND {within("h.played_at", EVER)}
            GROUP BY h.track_id
        ), tracks AS MATERIALIZED (
            SELECT t.track_id, CASE WHEN t.lost THEN l.played_at ELSE least(f.played_at, t.came) END AS played_at
            FROM touched t LEFT JOIN insights.firsts f ON f.kind = {Kind.TRACK:d} AND f.id = t.track_id
            LEFT JOIN left_over l ON l.track_id = t.track_id
        )
    """
    if kind is Kind.TRACK:
        return f"{tracks} SELECT CAST(track_id AS varchar(120)) AS id, played_at FROM tracks"
    return f"""
        {tracks}, artists AS (
            SELECT c.artist_id FROM "ArtistTracks" c JOIN touched USING (track_id) WHERE c.is_primary
            UNION SELECT artist_id FROM {_log("credit_changes")}
        ), credits AS MATERIALIZED (
            SELECT a.artist_id, c.track_id FROM artists a
            LEFT JOIN "ArtistTracks" c ON c.artist_id = a.artist_id AND c.is_primary
        )
        SELECT CAST(c.artist_id AS varchar(120)) AS id,
            min(CASE WHEN t.track_id IS NULL THEN f.played_at ELSE t.played_at END) AS played_at
        FROM credits c
        LEFT JOIN tracks t ON t.track_id = c.track_id
        LEFT JOIN insights.firsts f ON f.kind = {Kind.TRACK:d} AND f.id = c.track_id
        GROUP BY c.artist_id
    """


def _counted(plays: str, meaning: str, sign: int, where: str = "") -> str:
    return (
        f"SELECT p.window_id, m.kind, m.id, {sign} * p.plays AS plays,"
        f" {sign} * p.plays * m.duration_ms AS listen_time_ms FROM {plays} p JOIN {meaning} m USING (track_id) {where}"
    )


def _meaning(name: str, tracks: str, kinds: Collection[Kind]) -> str:
    """What a listen of a track counts for, by the catalogue of now: `track_id`, `duration_ms`, `kind` and `id`."""
    meanings = {
        Kind.TRACK: f"SELECT {Kind.TRACK:d} AS kind, t.id AS id",
        Kind.ARTIST: f'SELECT {Kind.ARTIST:d} AS kind, c.artist_id AS id FROM "ArtistTracks" c WHERE c.track_id = t.id',
        Kind.PRIMARY_ARTIST: f"SELECT {Kind.PRIMARY_ARTIST:d} AS kind, c.artist_id AS id"
        ' FROM "ArtistTracks" c WHERE c.track_id = t.id AND c.is_primary',
        Kind.GENRE: f'SELECT DISTINCT {Kind.GENRE:d} AS kind, g.genre AS id FROM "ArtistTracks" c'
        ' JOIN "ArtistGenres" g ON g.id = c.artist_id WHERE c.track_id = t.id AND c.is_primary',
    }
    return (
        f"{name} AS MATERIALIZED (SELECT t.id AS track_id, {LASTING} AS duration_ms, m.kind, m.id FROM ({tracks}) x"
        f' JOIN "Tracks" t ON t.id = x.track_id'
        f" CROSS JOIN LATERAL ({' UNION ALL '.join(meanings[kind] for kind in kinds)}) m)"
    )


def _meaning_before(kinds: Collection[Kind]) -> str:
    """What a listen of each track of `changed_tracks` counted for, before the changes: as `_meaning`."""
    meanings = {
        Kind.TRACK: f"SELECT track_id, {Kind.TRACK:d} AS kind, track_id AS id FROM changed_tracks",
        Kind.ARTIST: f"SELECT track_id, {Kind.ARTIST:d}, artist_id FROM credits_before",
        Kind.PRIMARY_ARTIST: f"SELECT track_id, {Kind.PRIMARY_ARTIST:d}, artist_id FROM credits_before"
        " WHERE is_primary",
        Kind.GENRE: f"SELECT DISTINCT c.track_id, {Kind.GENRE:d}, g.genre FROM credits_before c"
        " JOIN genres_before g ON g.artist_id = c.artist_id WHERE c.is_primary",
    }
    parts = " UNION ALL ".join(f"SELECT * FROM ({meanings[kind]}) AS m (track_id, kind, id)" for kind in kinds)
    return (
        "meaning_before AS MATERIALIZED (SELECT m.track_id,"
        f" greatest(coalesce(d.before, t.duration_ms), 0) AS duration_ms, m.kind, m.id FROM ({parts}) m"
        " LEFT JOIN durations_before d ON d.track_id = m.track_id"
        ' LEFT JOIN "Tracks" t ON t.id = m.track_id)'
    )


def catalogue_changes(*, with_tracks: bool) -> list[str]:
    """The net changes of the catalogue, the tracks that they are about, and the catalogue as it was for those."""
    durations = (
        f"durations_before AS (SELECT DISTINCT ON (track_id) track_id, before FROM {_log('duration_changes')}"
        " ORDER BY track_id, number)"
    )
    if not with_tracks:
        return [durations]
    return [
        durations,
        "net_credits AS (SELECT track_id, artist_id, is_primary, sum(change) AS change"
        f" FROM {_log('credit_changes')}"
        " GROUP BY track_id, artist_id, is_primary HAVING sum(change) <> 0)",
        f"net_genres AS (SELECT artist_id, genre, sum(change) AS change FROM {_log('genre_changes')}"
        " GROUP BY artist_id, genre HAVING sum(change) <> 0)",
        "changed_tracks AS MATERIALIZED (SELECT track_id FROM net_credits UNION SELECT track_id FROM durations_before"
        ' UNION SELECT c.track_id FROM "ArtistTracks" c WHERE c.artist_id IN (SELECT artist_id FROM net_genres))',
        'credits_before AS (SELECT c.track_id, c.artist_id, c.is_primary FROM "ArtistTracks" c'
        " JOIN changed_tracks USING (track_id)"
        " EXCEPT SELECT track_id, artist_id, is_primary FROM net_credits WHERE change > 0"
        " UNION SELECT track_id, artist_id, is_primary FROM net_credits WHERE change < 0)",
        'genres_before AS (SELECT g.id AS artist_id, g.genre FROM "ArtistGenres" g'
        " WHERE g.id IN (SELECT artist_id FROM credits_before WHERE is_primary)"
        " EXCEPT SELECT artist_id, genre FROM net_genres WHERE change > 0"
        " UNION SELECT artist_id, genre FROM net_genres WHERE change < 0)",
    ]


def _timed(*, catalogue: bool) -> str:
    """`window_id`, `user_id`, `played_at`, `change` and `listen_time_ms`: what counts by listen, not by track."""
    came_and_went = (
        "SELECT s.window_id, s.user_id, s.played_at, CAST(s.change AS bigint) AS change,"
        f" s.change * CAST({LASTING} AS bigint) AS listen_time_ms"
        ' FROM pending s LEFT JOIN "Tracks" t ON t.id = s.track_id'
    )
    if not catalogue:
        return came_and_went
    # What was there before takes the difference: what is there now, less what came, with what went.
    there_before = (
        'SELECT w.id, h.user_id, h.played_at, 1, d.track_id, d.before FROM "History" h JOIN durations_before d'
        f" ON d.track_id = h.track_id JOIN windows w ON {during('h.played_at')}"
        " UNION ALL SELECT p.window_id, p.user_id, p.played_at, -p.change, d.track_id, d.before"
        " FROM pending p JOIN durations_before d ON d.track_id = p.track_id"
    )
    return (
        f"{came_and_went} UNION ALL SELECT b.window_id, b.user_id, b.played_at, 0,"
        f" b.change * CAST({LASTING} - greatest(b.before, 0) AS bigint)"
        f" FROM ({there_before}) AS b (window_id, user_id, played_at, change, track_id, before)"
        ' LEFT JOIN "Tracks" t ON t.id = b.track_id'
    )
