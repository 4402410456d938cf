// The views, each with its panels in the order in which they stand.

import { days } from "./calendar.js";
import { chartsOfArtists, chartsOfGenres, chartsOfTracks } from "./charts.js";
import { entity } from "./entity.js";
import { forgottenArtists, forgottenTracks, newArtists, newTracks, nextArtists, nextTracks } from "./discover.js";
import { artists, genres, listeners, tracks } from "./lists.js";
import { history, onThisDay } from "./past.js";
import { blendArtists, blendGenres, blendTracks, compare, similar } from "./people.js";
import { features } from "./sound.js";
import { summary } from "./summary.js";
import { activity, clock, sessions } from "./time.js";
import { wrapped } from "./wrapped.js";

/** @typedef {import("../panel.js").View} View */
/** @typedef {keyof typeof import("../words.js").words.views} Name */

/** @type {Partial<Record<Name, { panels: View[], ofUser?: boolean }>>} */
export const views = {
  overview: { panels: [entity, summary, activity, clock, tracks, artists, genres] },
  rhythm: { panels: [entity, clock, activity, days, sessions] },
  charts: { panels: [entity, chartsOfArtists, chartsOfTracks, chartsOfGenres], ofUser: true },
  discover: { panels: [entity, nextTracks, nextArtists, newTracks, newArtists, forgottenTracks, forgottenArtists] },
  sound: { panels: [entity, features] },
  people: { panels: [compare, similar, blendTracks, blendArtists, blendGenres, listeners] },
  history: { panels: [entity, history, onThisDay], ofUser: true },
  wrapped: { panels: [wrapped], ofUser: true },
};
