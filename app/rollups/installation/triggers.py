"""The triggers that note each change of what the rollups count, and announce whose answers it makes old.

Their functions run with the rights of the role that installs them, so that a loader needs none on `insights`. In them
`before` and `after` are the rows of a statement; one of them is not there for INSERT and DELETE, and the statement that
would read it is then not run.
"""

from app.rollups.sql import load

PREFIX = "songswap_insights_"

# The most users that one announcement names. Of more it is quicker to end all answers.
MOST_USERS = 500
CHANGES_OF = {"INSERT": "REFERENCING NEW TABLE AS after", "DELETE": "REFERENCING OLD TABLE AS before",
              "UPDATE": "REFERENCING OLD TABLE AS before NEW TABLE AS after"}  # fmt: skip

# What the answers of single users show, and what only the answers of everyone show.
ALL, EVERYONE = load("announce", users="NULL"), load("announce", users="'{}'")
# The body of a trigger's function by the table that it watches. The busiest table first.
WATCHED = {
    "History": load("note_listens", most_users=str(MOST_USERS)),
    "Tracks": load("note_durations") + ALL,
    "Artists": ALL,
    "ArtistTracks": load("note_credits") + ALL,
    "ArtistGenres": load("note_genres") + ALL,
    "ArtistImages": ALL,
    "TrackImages": ALL,
    "TrackPreviews": ALL,
    "TrackFeatures": ALL,
    "TrackPopularity": EVERYONE,
    "ArtistPopularity": EVERYONE,
    "ArtistFollowers": EVERYONE,
    "Users": EVERYONE,
}
ARE_ON = load("watched", triggers=str(4 * len(WATCHED)), prefix=PREFIX)


def functions() -> list[str]:
    """The triggers' functions."""
    bodies = {"truncated": load("note_truncation")} | {f"changed_{table}": body for table, body in WATCHED.items()}
    return [load("trigger_function", function=name, body=body) for name, body in bodies.items()]


def triggers() -> list[str]:
    """The triggers, which fire on a replica's writes, too."""
    made = []
    for table in WATCHED:
        events = {operation.lower(): (operation, rows, f"changed_{table}") for operation, rows in CHANGES_OF.items()}
        for name, (operation, rows, function) in (events | {"truncate": ("TRUNCATE", "", "truncated")}).items():
            made += [
                f'CREATE OR REPLACE TRIGGER {PREFIX}{name} AFTER {operation} ON "{table}" {rows}'
                f' FOR EACH STATEMENT EXECUTE FUNCTION insights."{function}"()',
                f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {PREFIX}{name}',
            ]
    return made
