// Who is signed in. Tokens live in this tab only, and are made new before they end.
import { REFRESH } from "./documents.js";
import { Trouble, post } from "./http.js";

const KEPT = "interpile.account";
const BEFORE_END_MS = 60_000;

/** Says "change" when somebody signs in or out; `detail` is why. */
export const account = new EventTarget();

let tokens = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
let renewal = null;
let timer = 0;
plan();

/** Whether somebody is. */
export function isSignedIn() {
  return tokens !== null;
}

/** Take what a sign-in brought. */
export function signIn(given) {
  keep(given);
  changed("signed_in");
}

/** Forget it. */
export function signOut(why = "signed_out") {
  if (!tokens) return;
  tokens = null;
  sessionStorage.clear();
  clearTimeout(timer);
  changed(why);
}

function changed(why) {
  account.dispatchEvent(new CustomEvent("change", { detail: why }));
}

function keep({ accessToken, refreshToken, expiresInS }) {
  tokens = { accessToken, refreshToken, endsAt: Date.now() + expiresInS * 1000 };
  sessionStorage.setItem(KEPT, JSON.stringify(tokens));
  plan();
}

function plan() {
  clearTimeout(timer);
  if (tokens) timer = setTimeout(() => token().catch(() => {}), Math.max(0, renewAt() - Date.now()));
}

/** A minute before the end; of a short life, half of it. */
function renewAt() {
  return tokens.endsAt - Math.min(BEFORE_END_MS, Math.max(0, tokens.endsAt - Date.now()) >> 1);
}

/** A token that lasts a while, or null when nobody is signed in. `spent` is one that was refused. */
export async function token({ spent = null } = {}) {
  if (!tokens) return null;
  const isFine = tokens.accessToken !== spent && tokens.endsAt - Date.now() > BEFORE_END_MS / 4;
  if (isFine && !isDue()) return tokens.accessToken;
  // A refresh token is spent by its use: everybody who needs a new one waits for the same.
  renewal ??= renew().finally(() => { renewal = null; });
  try {
    await renewal;
  } catch (trouble) {
    if (!isFine) throw trouble;
  }
  return tokens?.accessToken ?? null;
}

function isDue() {
  return tokens.endsAt - Date.now() <= BEFORE_END_MS;
}

async function renew() {
  const { result } = await post(REFRESH, { refreshToken: tokens.refreshToken });
  if (result.accessToken) {
    if (tokens) keep(result);
    return;
  }
  const trouble = new Trouble(result.code, result.message, result);
  if (!trouble.isUndecided) signOut("session_over");
  throw trouble;
}
