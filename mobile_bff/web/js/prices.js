// The day's tariff as a bar, with now marked.
import { clock, money, price } from "./format.js";
import { h, s } from "./dom.js";
import { t, word } from "./i18n.js";

const DAY = 1440;
const TALL = 48;
const LEAST = 14;

/** Minutes of the tariff's own day at an instant. */
export function minuteOf(tariff, at) {
  const minutes = Math.floor(Date.parse(at) / 60_000) + tariff.utcOffsetMinutes;
  return ((minutes % DAY) + DAY) % DAY;
}

/** The period in force at a minute of the day; undefined where the day has a gap. */
export function periodAt(tariff, minute) {
  return tariff.periods.find((one) => one.startMinute <= minute && minute < one.endMinute);
}

/** What a kWh costs in a period, electricity and service. */
export function priceOf(period) {
  return period.electricityMicro + period.serviceMicro;
}

/** A station's prices: one card where its kinds of piles cost the same, else one for each kind. */
export function pricesOf(tariffs, now) {
  const names = new Set(tariffs.map(({ tariff }) => `${tariff.tariffId} ${tariff.version}`));
  const shown = names.size < 2 ? tariffs.slice(0, 1) : tariffs;
  return shown.map(({ kind, kindText, tariff }) => h("div", { class: "card" },
    shown.length > 1 && h("h2", { class: "small-title" }, kind ? t(`kind_${kind.toLowerCase()}`) : kindText),
    dayOfPrices(tariff, now)));
}

/** The bar, the price now in figures, and every period to unfold. */
export function dayOfPrices(tariff, now) {
  const minute = minuteOf(tariff, now);
  const current = periodAt(tariff, minute);
  return h("section", { class: "prices" },
    h("div", { class: "prices-now" },
      h("h2", { class: "small-title" }, t("price_today")),
      h("p", { class: "price" }, current ? price(priceOf(current)) : "–", h("small", {}, t("per_kwh")))),
    !tariff.binding && h("p", { class: "muted estimate" }, t("price_estimate")),
    current && h("p", { class: "muted" }, `${t("electricity")} ${price(current.electricityMicro)} + ${t("service")} ${price(current.serviceMicro)}`),
    bar(tariff, minute, current),
    timeFee("parking", tariff.parking),
    timeFee("idle", tariff.idle),
    h("details", { class: "periods" },
      h("summary", {}, t("all_periods")),
      h("table", {}, h("tbody", {}, tariff.periods.map((one) => row(one, one === current))))));
}

function row(period, isNow) {
  return h("tr", { class: isNow && "now", "aria-current": isNow && "time" },
    h("th", { scope: "row" }, `${clock(period.startMinute)}–${clock(period.endMinute)}`, bandOf(period)),
    h("td", {}, `${price(period.electricityMicro)} + ${price(period.serviceMicro)}`),
    h("td", {}, price(priceOf(period))));
}

/** The band's word behind its hours, where the host names one. */
function bandOf(period) {
  return period.bandText && h("span", { class: "band" }, ` ${word("band", period.band, period.bandText)}`);
}

/** What standing there costs, in a line; nothing where it costs nothing. */
function timeFee(kind, fee) {
  if (!fee) return null;
  const parts = [
    `${t(kind)} ${price(fee.priceMicroPerHour)}${t("per_hour")}`,
    fee.freeMinutes > 0 && t("free_first", { minutes: fee.freeMinutes }),
    fee.cap !== null && t("at_most", { amount: money(fee.cap) }),
  ];
  return h("p", { class: `muted fee-${kind}` }, parts.filter(Boolean).join(" · "));
}

function bar(tariff, minute, current) {
  const all = tariff.periods.map(priceOf);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const height = (micro) => (most === least ? TALL / 2 : LEAST + ((micro - least) * (TALL - LEAST)) / (most - least));
  const label = t("price_label", { price: current ? price(priceOf(current)) : "–" });
  const marker = h("span", { class: "prices-marker" }, h("span", {}, `${t("price_now")} ${clock(minute)}`));
  marker.style.left = `${(minute * 100) / DAY}%`;
  marker.classList.toggle("late", minute > DAY * 0.8);
  marker.classList.toggle("early", minute < DAY * 0.2);
  return h("div", { class: "prices-bar" },
    marker,
    s("svg", { viewBox: `0 0 ${DAY} ${TALL}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      tariff.periods.map((one) => s("rect", {
        x: one.startMinute + 4, width: Math.max(4, one.endMinute - one.startMinute - 8),
        y: TALL - height(priceOf(one)), height: height(priceOf(one)), class: one === current ? "now" : "",
      }))),
    h("div", { class: "prices-hours", "aria-hidden": "true" }, ["0", "6", "12", "18", "24"].map((hour) => h("span", {}, hour))));
}
