// A map without tiles: a ruled plane, stations as markers, and fingers, wheel or keys to move it.
import { ZOOM_LEAST, ZOOM_MOST, clustered, fitting, metresAt, roundLength, scaleAt, toPlace, toPlane } from "./plane.js";
import { distance, price } from "./format.js";
import { gestures } from "./gestures.js";
import { h, say } from "./dom.js";
import { icon } from "./icons.js";
import { ruled } from "./ruling.js";
import { t } from "./i18n.js";

const STATIONS_MOST = 2000;
const MARGIN_PX = 60;
const SETTLED_MS = 250;
const START = { latitudeE6: 30_000_000, longitudeE6: 110_000_000 };

/**
 * A map. `onOpen(station)` hears of a tap on a marker, `onSettle(place)` where its middle came to rest.
 * Gives `node` and what moves it and puts things on it.
 */
export function makeMap({ onOpen, onSettle, onLocate }) {
  const view = { ...toPlane(START), zoom: ZOOM_LEAST };
  const stations = new Map();
  const pins = new Map();
  let [own, selected, clusters, clusteredAt] = [null, null, [], null];
  let [frame, settling] = [0, 0];

  const canvas = h("canvas", { "aria-hidden": "true" });
  const here = h("span", { class: "here", hidden: true, role: "img", "aria-label": t("you_are_here") });
  const layer = h("div", { class: "map-pins" }, here);
  const scaleBar = h("span", { class: "map-scale", "aria-hidden": "true" });
  const button = (name, label, act) => h("button", { type: "button", class: "round", "aria-label": t(label), on: { click: act } }, icon(name));
  const surface = h("div", { class: "map-surface", tabindex: "0", role: "application", "aria-label": t("map_label") }, canvas, layer);
  const node = h("div", { class: "map" }, surface, scaleBar, h("div", { class: "map-tools" },
    button("plus", "zoom_in", () => zoomBy(1)), button("minus", "zoom_out", () => zoomBy(-1)),
    button("locate", "locate", onLocate)));

  gestures(surface, {
    onPan: (dx, dy) => { const scale = scaleAt(view.zoom); moved(view.x - dx / scale, view.y - dy / scale); },
    onZoom: (change, at) => zoomBy(change, at),
  });
  new ResizeObserver(() => redraw()).observe(surface);

  function zoomBy(change, at = { x: surface.clientWidth / 2, y: surface.clientHeight / 2 }) {
    const zoom = Math.max(ZOOM_LEAST, Math.min(ZOOM_MOST, view.zoom + change));
    const [dx, dy] = [at.x - surface.clientWidth / 2, at.y - surface.clientHeight / 2];
    const [before, after] = [scaleAt(view.zoom), scaleAt(zoom)];
    view.zoom = zoom;
    moved(view.x + dx / before - dx / after, view.y + dy / before - dy / after);
  }
  function moved(x, y) {
    Object.assign(view, { x, y });
    redraw();
    clearTimeout(settling);
    settling = setTimeout(() => onSettle(toPlace(view)), SETTLED_MS);
  }
  function redraw() {
    frame ||= requestAnimationFrame(draw);
  }
  function screen(point) {
    const scale = scaleAt(view.zoom);
    return { x: (point.x - view.x) * scale + surface.clientWidth / 2, y: (point.y - view.y) * scale + surface.clientHeight / 2 };
  }
  function draw() {
    frame = 0;
    const [width, height] = [surface.clientWidth, surface.clientHeight];
    if (!width || !height) return;
    const metre = scaleAt(view.zoom) / metresAt(view.y);
    ruled(canvas, { width, height, origin: screen({ x: 0, y: 0 }), metre, own: own && screen(toPlane(own)) });
    const length = roundLength(96 / metre);
    scaleBar.style.width = `${length * metre}px`;
    say(scaleBar, distance(Math.max(1, Math.round(length))));
    drawHere();
    drawPins(width, height);
  }
  function drawHere() {
    here.hidden = !own;
    if (own) place(here, screen(toPlane(own)));
  }
  function drawPins(width, height) {
    const step = Math.round(view.zoom * 2);
    if (clusteredAt !== step) [clusters, clusteredAt] = [apart(), step];
    const seen = new Set();
    for (const cluster of clusters) {
      const at = screen(cluster);
      if (at.x < -MARGIN_PX || at.y < -MARGIN_PX || at.x > width + MARGIN_PX || at.y > height + MARGIN_PX) continue;
      const key = `${cluster.stations.length}/${cluster.key}`;
      seen.add(key);
      if (!pins.has(key)) {
        pins.set(key, pin(cluster));
        layer.append(pins.get(key));
      }
      place(pins.get(key), at);
      pins.get(key).classList.toggle("selected", cluster.key === selected);
    }
    for (const [key, old] of pins) if (!seen.has(key)) { old.remove(); pins.delete(key); }
  }
  /** What was chosen stands by itself. */
  function apart() {
    const chosen = stations.get(selected);
    const others = clustered([...stations.values()].filter((one) => one !== chosen), view.zoom);
    return chosen ? [...others, { key: chosen.id, ...toPlane(chosen), stations: [chosen] }] : others;
  }
  function pin(cluster) {
    return cluster.stations.length === 1 ? stationPin(cluster.stations[0], onOpen) : clusterPin(cluster, () => {
      const fit = fitting(cluster.stations, surface.clientWidth * 0.7, surface.clientHeight * 0.6);
      view.zoom = Math.max(fit.zoom, Math.min(ZOOM_MOST, view.zoom + 1));
      moved(fit.x, fit.y);
    });
  }
  function forget() {
    for (const old of pins.values()) old.remove();
    pins.clear();
    clusteredAt = null;
  }

  return {
    node,
    /** Where its middle is. */
    middle: () => toPlace(view),
    /** How far apart its edges are, in metres: the shorter way. */
    reach: () => (Math.min(surface.clientWidth, surface.clientHeight) * metresAt(view.y)) / scaleAt(view.zoom),
    /** Put more stations on it; what is known of one already is made new. `isOnly` takes the others away. */
    put(found, { isOnly = false } = {}) {
      if (isOnly) stations.clear();
      for (const one of found) {
        stations.delete(one.id);
        stations.set(one.id, one);
      }
      for (const oldest of [...stations.keys()].slice(0, Math.max(0, stations.size - STATIONS_MOST))) stations.delete(oldest);
      forget();
      redraw();
    },
    /** Show these places, whole. */
    fit(places) {
      if (!places.length) return;
      Object.assign(view, fitting(places, Math.max(200, surface.clientWidth - 120), Math.max(120, surface.clientHeight - 90)));
      redraw();
    },
    /** Bring a place to the middle. */
    lookAt(at, zoom = view.zoom) {
      Object.assign(view, toPlane(at), { zoom });
      redraw();
    },
    /** Where the driver is. */
    setOwn(at) { own = at; redraw(); },
    /** Mark one station; null for none. */
    select(id) {
      selected = id;
      forget();
      redraw();
    },
  };
}

function place(node, { x, y }) {
  node.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
}

function stationPin(station, onOpen) {
  const { name, connectorsAvailable: free, connectorsTotal: total, priceNowMicro } = station;
  return h("button", {
    type: "button", class: `pin ${free ? "free" : "full"}`, "data-station": station.id,
    "aria-label": t("station_label", { name, free, total }), on: { click: () => onOpen(station) },
  }, h("span", { class: "pin-body" }, h("span", { class: "dot" }), priceNowMicro === null ? `${free}/${total}` : price(priceNowMicro)));
}

function clusterPin(cluster, open) {
  const count = cluster.stations.length;
  const isFree = cluster.stations.some((one) => one.connectorsAvailable);
  return h("button", {
    type: "button", class: `pin cluster ${isFree ? "free" : "full"}`, "aria-label": t("cluster_label", { count }), on: { click: open },
  }, h("span", { class: "pin-body" }, String(count)));
}
