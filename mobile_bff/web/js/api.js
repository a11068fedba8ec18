// What the views ask with: signed in where somebody is, with one renewed token where one was refused.
import { isSignedIn, signOut, token } from "./account.js";
import { Trouble, connection, post } from "./http.js";
import { pause } from "./dom.js";

const REFUSED_TOKEN = new Set(["token_invalid", "unauthenticated"]);
const WAITS_MS = [1000, 2000, 4000, 8000];

/** Ask; the data. Throws Trouble. */
export async function ask(document, variables = {}, { signal = null } = {}) {
  const used = await token();
  try {
    return await post(document, variables, { token: used, signal });
  } catch (trouble) {
    if (!used || !REFUSED_TOKEN.has(trouble.code)) throw trouble;
    return again(document, variables, used, signal);
  }
}

async function again(document, variables, spent, signal) {
  const renewed = await token({ spent });
  try {
    return await post(document, variables, { token: renewed, signal });
  } catch (trouble) {
    if (REFUSED_TOKEN.has(trouble.code)) signOut("session_over");
    throw trouble;
  }
}

/** Ask for a result that may be an error; what is no error. Throws Trouble. */
export async function demand(document, variables = {}, options = {}) {
  const data = await ask(document, variables, options);
  if (data.result.code === undefined) return data;
  const trouble = new Trouble(data.result.code, data.result.message, data.result);
  if (!REFUSED_TOKEN.has(trouble.code) || !isSignedIn()) throw trouble;
  // Results carry a refused token as data; the same call again, with another token.
  const second = await again(document, variables, await token(), options.signal);
  if (second.result.code === undefined) return second;
  if (REFUSED_TOKEN.has(second.result.code)) signOut("session_over");
  throw new Trouble(second.result.code, second.result.message, second.result);
}

/** Ask until there is an answer; `onTrouble` hears of each time that there was none. Throws decided Trouble. */
export async function askUntil(document, variables, { signal, onTrouble = () => {} }) {
  for (let times = 0; ; times += 1) {
    try {
      return await ask(document, variables, { signal });
    } catch (trouble) {
      if (!(trouble instanceof Trouble) || !trouble.isUndecided || signal.aborted) throw trouble;
      onTrouble(trouble);
      await turn((trouble.retryAfterS ?? 0) * 1000 || WAITS_MS[Math.min(times, 3)], signal);
      if (signal.aborted) throw trouble;
    }
  }
}

/** Wait, but no longer than until the connection is back. */
function turn(ms, signal) {
  const ender = new AbortController();
  const end = () => ender.abort();
  signal.addEventListener("abort", end, { once: true });
  if (connection.isLost) connection.addEventListener("back", end, { once: true });
  return pause(ms, ender.signal).finally(() => {
    signal.removeEventListener("abort", end);
    connection.removeEventListener("back", end);
  });
}
