"""An independent oracle: what the contract demands for a platform's rows, in plain Python. No SQL, nothing of `app`.

Where the contract is silent, these are the assumptions; the service has to agree with each.

Lists
1.  With `by=listen_time` over a listen time of 0, every `share` is 0.
2.  `previous_rank` is by the same `by` as the list; a row's `previous_count` is listens with either `by`.
3.  `listen_time_ms` of a discovery is over the window, as its `count` is.

Summaries
4.  `first_listen_at`, `last_listen_at`, `active_days` and streaks are of the window's listens alone; so are
    `first_listened_at` and `last_listened_at` of a track or artist.
5.  The top rows are of the lists by count, with all of the list's fields. The global summary keeps `active_days`.

Time
6.  At an open end, activity has whole buckets: those that hold the first and the last listen. Without `bucket`, the
    unit is the default from the first listen to the last (or from or to the window's end that is not open).
    Without listens and with an open end the unit is `day` where none is asked for.
7.  The clock goes by what the local clock shows, weekday as well as hour, also where it is put back over midnight.
8.  Streaks count calendar days: a day that the zone left out (Apia, 30 December 2011) breaks a run. A run that goes on
    after today (listens in the future) is not `current`.
9.  A play that started before another one ended belongs to the same session, whichever listen comes first: "the play
    before it ended" means all plays that started before. A session's `duration_ms` is whole milliseconds, rounded
    down; the mean and the order are of these. The start may lie before the window's. Sessions are of the window's
    listens alone.
10. On this day: rank and share of the three tracks are of that day alone.
11. Wrapped and review: `top_month` and `top_day` by count; `busiest_hour` is summed over the window by the local
    clock; lists by count; `longest_streak` of the window's listens, the earlier of equals.

Pages
12. Features: `coverage` is 0 without listens. Where no listen has features, mean, stddev, min and max are null, and the
    histogram, keys and modes are zeros. A value on the edge of two bins is in the upper one. A key outside 0 to 11
    (Spotify's -1 is "none") and a mode outside 0 and 1 are in no count. `time_signature` is not told.
13. History: `before` is an instant and exclusive; `next` has the last item's.
14. Track and artist: `share` in `top_listeners` and `top_tracks` is of the listens of this track or artist; both lists
    are by count and take `limit`; `rank` is by count among the audience's listens, as in the global list. An artist's
    genres are in byte order.
15. With a subject all of an answer is over its listens alone: "ever" in discoveries, sessions and streaks, the other
    listeners in wrapped's percentile, the similarity in compare.
16. Compare: `similarity` of a user with itself is 1, and 0 without listens of primary artists.
"""

from tests.oracle.days import activity, charts, clock, on_this_day, review, sessions, streaks, wrapped
from tests.oracle.lists import Asked, discoveries, distinct, forgotten, top, total_listen_time, total_listens
from tests.oracle.pages import artist_page, compare, export, features, history, summary, track_page
from tests.oracle.world import FEATURES, Listen, Track, World

__all__ = [
    "FEATURES",
    "Asked",
    "Listen",
    "Track",
    "World",
    "activity",
    "artist_page",
    "charts",
    "clock",
    "compare",
    "discoveries",
    "distinct",
    "export",
    "features",
    "forgotten",
    "history",
    "on_this_day",
    "review",
    "sessions",
    "streaks",
    "summary",
    "top",
    "total_listen_time",
    "total_listens",
    "track_page",
    "wrapped",
]
