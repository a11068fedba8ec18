// The one map of this page, kept while views come and go, and where lists begin.
import { STATIONS_AROUND } from "../documents.js";
import { ask } from "../api.js";
import { h } from "../dom.js";
import { go } from "../router.js";
import { isAllowed, locate } from "../position.js";
import { makeMap } from "../map.js";
import { t } from "../i18n.js";
import { toast } from "../parts.js";

const NEAR_ZOOM = 13;

/** `anchor` is where distances are counted from; null until there is such a place. `isOwn`: it is the driver's. */
export const city = Object.assign(new EventTarget(), { anchor: null, isOwn: false, search: "" });

let map = null;
let isOnlyFound = false;

/** The map, made when it is first wanted. */
export function cityMap() {
  map ??= makeMap({
    onOpen: (station) => go(`#/station/${encodeURIComponent(station.id)}`),
    onSettle: settled,
    onLocate: () => goHome({ isAsked: true }),
  });
  return map;
}

/** Map and pane, side by side or one above the other. */
export function cityLayout(pane, kind) {
  return h("div", { class: `city ${kind}` }, cityMap().node, h("section", { class: "pane" }, pane));
}

/** Begin where the driver is, if he has allowed that before. */
export async function findStart() {
  if (!city.anchor && (await isAllowed())) await goHome({ isAsked: false });
}

async function goHome({ isAsked }) {
  try {
    const own = await locate();
    cityMap().setOwn(own);
    cityMap().lookAt(own, NEAR_ZOOM);
    anchorAt(own, { isOwn: true });
    settled(own);
  } catch (problem) {
    if (isAsked) toast(t(problem.code === 1 ? "location_off" : "location_unknown"));
  }
}

/** Count distances from here on. */
export function anchorAt(place, { isOwn = false } = {}) {
  Object.assign(city, { anchor: place, isOwn });
  city.dispatchEvent(new Event("anchor"));
}

/** Show what was found by name and nothing else; or, with null, whatever is near. */
export function showOnly(found) {
  isOnlyFound = found !== null;
  if (!isOnlyFound) return;
  cityMap().put(found, { isOnly: true });
  cityMap().fit(found);
}

async function settled(place) {
  city.dispatchEvent(new Event("settle"));
  if (isOnlyFound) return;
  // More markers are welcome, but nobody waits for them.
  const found = await ask(STATIONS_AROUND, { near: place }).catch(() => null);
  if (found?.stations && !isOnlyFound) cityMap().put(found.stations.edges.map((edge) => edge.node));
}
