// Questions to the API. A key, where one is wanted, is kept for this tab alone.

const KEY = "songswap-insights-key";

/** An answer that is none: its message is the problem's text. */
export class ApiError extends Error {
  /** @param {string} message @param {number} status */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** @param {string} key */
export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** @returns {Record<string, string>} what shows the key, where there is one */
export function keyHeaders() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/**
 * @typedef {{ path: string, parameters?: Record<string, string | number> }} Request
 * @param {Request} request
 * @returns {string} its URL, without the host
 */
export function urlOf({ path, parameters = {} }) {
  const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
  return query.size ? `${path}?${query}` : path;
}

/**
 * Ask, and give the answer with its headers. Throws an ApiError for all but a 200.
 * @param {Request} request
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ data: any, headers: Headers }>}
 */
export async function ask(request, signal) {
  const response = await fetch(urlOf(request), { signal, headers: keyHeaders() });
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(data.error ?? `${response.status} ${response.statusText}`, response.status);
  return { data, headers: response.headers };
}
