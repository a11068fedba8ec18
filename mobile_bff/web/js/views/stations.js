// Stations: the map, and a list of the nearest or of what was searched for.
import { STATIONS } from "../documents.js";
import { anchorAt, city, cityLayout, cityMap, findStart, showOnly } from "./city.js";
import { distance, price, rating } from "../format.js";
import { empty, endless } from "../parts.js";
import { fill, h, pause } from "../dom.js";
import { icon } from "../icons.js";
import { t } from "../i18n.js";

const TYPING_MS = 350;
const TEXT_MOST = 40;

/** The view. */
export function stationsView({ signal }) {
  const title = h("h1", { class: "small-title", tabindex: "-1" });
  const results = h("div", { class: "stack" });
  const here = h("button", { type: "button", class: "chip search-here", hidden: true, on: { click: () => anchorAt(cityMap().middle()) } }, icon("search", 16), t("search_here"));
  let listing = new AbortController();
  signal.addEventListener("abort", () => listing.abort());

  function list() {
    listing.abort();
    listing = new AbortController();
    here.hidden = true;
    title.textContent = heading();
    if (!city.search) showOnly(null);
    const variables = { search: city.search, near: city.anchor };
    fill(results, endless(STATIONS, variables, listing.signal, {
      read: (data) => data.stations,
      item: row,
      none: () => empty("search", t("no_stations")),
      onPage: mapped,
    }));
  }
  function mapped(found, isFirst) {
    if (city.search && isFirst) showOnly(found);
    else cityMap().put(found);
    if (!city.search && isFirst && !city.anchor) cityMap().fit(found);
  }
  function settled() {
    here.hidden = Boolean(city.search) || !isFar(cityMap().middle(), cityMap().reach());
  }

  const search = searchBox(signal, list);
  city.addEventListener("anchor", list, { signal });
  city.addEventListener("settle", settled, { signal });
  cityMap().select(null);
  findStart().finally(() => { if (!signal.aborted && !results.childElementCount) list(); });
  return cityLayout([h("div", { class: "pane-head" }, search, h("div", { class: "between" }, title, here)), results], "listing");
}

/** Whether the map was moved so far from where the list begins that another list is wanted. */
function isFar(middle, reach) {
  if (!city.anchor) return true;
  const metres = Math.hypot(middle.latitudeE6 - city.anchor.latitudeE6, middle.longitudeE6 - city.anchor.longitudeE6) / 9;
  return metres > reach / 3;
}

function heading() {
  if (city.search) return t("found_for", { text: city.search });
  if (!city.anchor) return t("by_name");
  return t(city.isOwn ? "near_me" : "near_there");
}

function searchBox(signal, list) {
  const input = h("input", {
    type: "search", value: city.search, maxlength: TEXT_MOST, placeholder: t("search_stations"),
    "aria-label": t("search_stations"), enterkeyhint: "search", autocomplete: "off",
  });
  const wanted = () => {
    const text = input.value.trim().replace(/\s+/g, " ");
    if (text === city.search) return;
    city.search = text;
    list();
  };
  let typed = 0;
  input.addEventListener("input", async () => {
    const mine = (typed += 1);
    await pause(TYPING_MS, signal);
    if (mine === typed && !signal.aborted) wanted();
  });
  return h("form", { class: "search", role: "search", on: { submit: (event) => { event.preventDefault(); wanted(); input.blur(); } } }, icon("search", 20), input);
}

function row(station) {
  const { connectorsAvailable: free, connectorsTotal: total, priceNowMicro } = station;
  const kinds = [station.connectorsDc && t("kind_dc"), station.connectorsAc && t("kind_ac")].filter(Boolean).join(" · ");
  return h("a", { class: "item", href: `#/station/${encodeURIComponent(station.id)}` },
    h("div", { class: "item-main" },
      h("strong", {}, station.name),
      h("span", { class: "muted clip" }, [station.address, station.partyName].filter(Boolean).join(" · ")),
      h("span", { class: "item-facts" },
        h("span", { class: `free ${free ? "" : "none"}` }, h("span", { class: "dot" }), free ? t("free_of", { free, total }) : t("none_free")),
        h("span", { class: "muted" }, kinds),
        station.maxPowerW > 0 && h("span", { class: "muted" }, t("up_to", { power: rating(station.maxPowerW) })))),
    h("div", { class: "item-side" },
      priceNowMicro === null ? h("span", { class: "muted" }, t("no_price")) : h("span", { class: "price" }, price(priceNowMicro), h("small", {}, t("per_kwh"))),
      h("span", { class: "muted" }, distance(station.distanceM))));
}
