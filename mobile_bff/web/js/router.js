// Which view stands on the page. Addresses are in the fragment: /app/#/station/S1.MA5AAAAA1
import { fill, h } from "./dom.js";
import { onLanguage, t } from "./i18n.js";

let leaving = new AbortController();
let views = [];
let heard = () => {};
let shown = "";

/** Take the views, [pattern, tab, view] each, and show the one that is asked for; `onShow` hears its tab. */
export function begin(given, onShow) {
  [views, heard] = [given, onShow];
  addEventListener("hashchange", () => show());
  onLanguage(() => show({ isSame: true }));
  show();
}

/** Go somewhere; `isInstead` leaves no way back to here. */
export function go(hash, { isInstead = false } = {}) {
  if (location.hash === hash) show();
  else if (isInstead) location.replace(hash);
  else location.hash = hash;
}

/** Show the present view again, made new. */
export function reload() {
  show({ isSame: true });
}

/** Write another address for what is shown already. */
export function rename(hash) {
  history.replaceState(null, "", hash);
}

function show({ isSame = false } = {}) {
  const [path, query = ""] = (location.hash.replace(/^#/, "") || "/stations").split("?");
  leaving.abort();
  leaving = new AbortController();
  const route = { path, query: new URLSearchParams(query), signal: leaving.signal };
  const [tab, node] = made(route);
  const main = document.getElementById("main");
  fill(main, node);
  heard(tab, path);
  const isOther = shown !== "" && !isSame;
  shown = path;
  if (!isOther) return;
  scrollTo(0, 0);
  (main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

function made(route) {
  for (const [pattern, tab, view] of views) {
    const match = pattern.exec(route.path);
    if (match) return [tab, view({ ...route, id: match[1] && decoded(match[1]) })];
  }
  return ["", h("p", { class: "empty" }, t("no_such_page"))];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
