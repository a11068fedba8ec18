// One station: its connectors as they are now, its prices, and the way there.
import { STATION } from "../documents.js";
import { fill, h, pause } from "../dom.js";
import { ask } from "../api.js";
import { cityLayout, cityMap } from "./city.js";
import { kindOf } from "../format.js";
import { pricesOf } from "../prices.js";
import { empty, heading, loaded } from "../parts.js";
import { icon } from "../icons.js";
import { t, word } from "../i18n.js";

const AGAIN_MS = 8000;
const ZOOM = 14;

/** The view. */
export function stationView({ id, signal }) {
  const pane = h("div", { class: "stack" });
  const isIn = { once: false };
  fill(pane, loaded(STATION, { id }, signal, ({ station, now }) => {
    if (!station) return [heading(t("not_found"), "#/stations"), empty("map", t("not_found"))];
    cityMap().put([hitOf(station)]);
    cityMap().select(station.id);
    if (!isIn.once) cityMap().lookAt(station, ZOOM);
    isIn.once = true;
    const plugs = h("ul", { class: "plugs" });
    fill(plugs, station.connectors.map(plug));
    keepFresh(id, signal, (fresh) => fill(plugs, fresh.connectors.map(plug)));
    return sheet(station, now, plugs);
  }, { lines: 5 }));
  return cityLayout(pane, "detail");
}

function sheet(station, now, plugs) {
  const shown = station.connectors.length;
  return [
    heading(station.name, "#/stations"),
    h("p", { class: "muted" }, station.address || null, station.address ? h("br") : null, t("operated_by", { name: station.partyName })),
    h("div", { class: "row" },
      h("a", { class: "button primary", href: "#/scan" }, icon("scan", 20), t("scan_this")),
      h("a", { class: "button", href: wayTo(station) }, icon("locate", 20), t("navigate"))),
    pricesOf(station.tariffs, now),
    h("div", { class: "card" },
      h("h2", { class: "small-title" }, t("connectors")),
      plugs,
      shown < station.connectorsTotal && h("p", { class: "muted" }, t("connectors_shown", { shown, total: station.connectorsTotal }))),
  ];
}

/** A plain geo: link, which the phone opens with the map of its owner's choice. */
function wayTo({ latitudeE6, longitudeE6, name }) {
  const degrees = (e6) => `${e6 < 0 ? "-" : ""}${Math.trunc(Math.abs(e6) / 1e6)}.${String(Math.abs(e6) % 1e6).padStart(6, "0")}`;
  const place = `${degrees(latitudeE6)},${degrees(longitudeE6)}`;
  return `geo:${place}?q=${place}(${encodeURIComponent(name)})`;
}

function plug(one) {
  return h("li", { class: `plug ${(one.state ?? "").toLowerCase()}` },
    h("span", { class: "dot" }),
    h("span", { class: "plug-name" }, h("strong", {}, one.id.split(".")[0]), h("span", { class: "muted" }, kindOf(one))),
    h("span", { class: "plug-state" }, word("connector", one.state, one.stateText)));
}

async function keepFresh(id, signal, show) {
  while (!signal.aborted) {
    await pause(AGAIN_MS, signal);
    if (signal.aborted || document.hidden) continue;
    const data = await ask(STATION, { id }, { signal }).catch(() => null);
    if (data?.station && !signal.aborted) show(data.station);
  }
}

/** The station as the map wants it. */
function hitOf(station) {
  const free = station.connectors.filter((one) => one.state === "AVAILABLE").length;
  return { ...station, connectorsAvailable: free };
}
