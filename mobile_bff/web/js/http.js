// One GraphQL request over HTTP, and whether the service can be reached at all.
import { language, t } from "./i18n.js";
import { pause } from "./dom.js";

const TIMEOUT_MS = 20_000;
const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 8000;

/** Why something was not done. `code` is the public code, or `offline`; `message` is for the driver to read. */
export class Trouble extends Error {
  constructor(code, message, { retryAfterS = null, field = null } = {}) {
    super(message);
    Object.assign(this, { code, retryAfterS, field });
  }

  /** Whether the answer is not known: asking the same again is right. */
  get isUndecided() {
    return ["offline", "unavailable", "internal", "in_progress", "too_many_requests"].includes(this.code);
  }
}

/** Says "lost" and "back". */
export const connection = Object.assign(new EventTarget(), { isLost: false });

function reached(isReached) {
  if (connection.isLost !== isReached) return;
  connection.isLost = !isReached;
  connection.dispatchEvent(new Event(isReached ? "back" : "lost"));
  if (!isReached) findBack();
}

addEventListener("offline", () => reached(false));

/** Nobody may be asking for anything just now: ask for nothing, until there is an answer. */
async function findBack() {
  for (let wait = FIRST_WAIT_MS; connection.isLost; wait = Math.min(LAST_WAIT_MS, wait * 2)) {
    const ender = new AbortController();
    const end = () => ender.abort();
    addEventListener("online", end, { once: true });
    await pause(wait, ender.signal);
    removeEventListener("online", end);
    if (connection.isLost) await post("{ __typename }", {}).catch(() => {});
  }
}

/** Ask once; the data. Throws Trouble, or an AbortError when the signal ends it. */
export async function post(document, variables, { token = null, signal = null } = {}) {
  const answer = await fetched(document, variables, token, signal);
  let said;
  try {
    said = await answer.json();
  } catch {
    throw gone(answer.status);
  }
  reached(true);
  const [error] = said.errors ?? [];
  if (error) {
    const { code = "malformed", retryAfterS, field } = error.extensions ?? {};
    throw new Trouble(code, error.message, { retryAfterS, field });
  }
  if (!said.data) throw new Trouble("internal", t("broken_answer"));
  return said.data;
}

/** What stands before the service answers for it while it is away. */
function gone(status) {
  if (status < 500) return new Trouble("internal", t("broken_answer"));
  reached(false);
  return new Trouble("offline", t("offline_long"));
}

async function fetched(document, variables, token, signal) {
  const ender = new AbortController();
  const end = () => ender.abort();
  const timer = setTimeout(end, TIMEOUT_MS);
  signal?.addEventListener("abort", end, { once: true });
  try {
    return await fetch("/graphql", {
      method: "POST",
      credentials: "omit",
      headers: {
        "content-type": "application/json",
        "accept-language": language(),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify({ query: document, variables }),
      signal: ender.signal,
    });
  } catch {
    if (signal?.aborted) throw new DOMException("left", "AbortError");
    reached(false);
    throw new Trouble("offline", t("offline_long"));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}
