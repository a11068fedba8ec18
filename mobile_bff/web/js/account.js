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
  const life = expiresInS * 1000;
  const now = Date.now();
  // A minute before the end; of a short life, half of it.
  tokens = { accessToken, refreshToken, endsAt: now + life, renewAt: now + Math.max(life - BEFORE_END_MS, life / 2) };
  sessionStorage.setItem(KEPT, JSON.stringify(tokens));
  plan();
}

function plan() {
  clearTimeout(timer);
  if (tokens) timer = setTimeout(() => token().catch(() => {}), Math.max(0, tokens.renewAt - Date.now()));
}

/** A token that lasts a while, or null when nobody is signed in. `spent` is one that was refused. */
export async function token({ spent = null } = {}) {
  if (!tokens) return null;
  const isFine = tokens.accessToken !== spent && Date.now() < tokens.endsAt;
  if (isFine && Date.now() < tokens.renewAt) return tokens.accessToken;
  // A refresh token is spent by its use: everybody who needs a new one waits for the same.
  renewal ??= renew().finally(() => { renewal = null; });
  try {
    await renewal;
  } catch (trouble) {
    if (!isFine) throw trouble;
  }
  return tokens?.accessToken ?? null;
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
