// What a driver means to do, done once: however often he taps, and though an answer was lost on the way.
import { demand } from "./api.js";

const PREFIX = "interpile.intent.";
const underWay = new Map();

/**
 * Send an intent. Its key is kept until there is a decided answer, so that a repeat of the same words is the
 * same request; other words are another intent. Whoever asks meanwhile gets the answer that is on its way.
 */
export function carryOut(name, document, input) {
  if (!underWay.has(name)) {
    underWay.set(name, sent(name, document, input).finally(() => underWay.delete(name)));
  }
  return underWay.get(name);
}

async function sent(name, document, input) {
  const idempotencyKey = keyFor(name, input);
  try {
    const { result } = await demand(document, { input: { ...input, idempotencyKey } });
    forget(name);
    return result;
  } catch (trouble) {
    if (!trouble.isUndecided) forget(name);
    throw trouble;
  }
}

function keyFor(name, input) {
  const words = JSON.stringify(input);
  const kept = JSON.parse(sessionStorage.getItem(PREFIX + name) ?? "null");
  if (kept?.words === words) return kept.key;
  const key = `app-${randomText()}`;
  sessionStorage.setItem(PREFIX + name, JSON.stringify({ words, key }));
  return key;
}

function forget(name) {
  sessionStorage.removeItem(PREFIX + name);
}

/** 128 bits; `randomUUID` is missing on pages that came over plain http. */
function randomText() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
