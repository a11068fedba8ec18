// Money, energy, time and distance in words. Whole numbers in, text out: nothing is divided into fractions.
import { language, t } from "./i18n.js";

const DASH = "–";

/** `whole` cut `places` digits from its end: point(1234, 2) is "12.34". */
function point(whole, places) {
  const digits = String(Math.abs(whole)).padStart(places + 1, "0");
  const text = `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return whole < 0 ? `-${text}` : text;
}

function grouped(text) {
  const [whole, part] = text.split(".");
  return `${whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",")}.${part}`;
}

/** Fen as yuan with two decimals, without its sign. */
export function yuan(fen) {
  return fen === null || fen === undefined ? DASH : grouped(point(fen, 2));
}

/** Fen as money: ¥12.34. */
export function money(fen) {
  if (fen === null || fen === undefined) return DASH;
  return fen < 0 ? `-¥${grouped(point(-fen, 2))}` : `¥${yuan(fen)}`;
}

/** Millionths of a yuan: at least two decimals, and as many more as there are. */
export function price(micro) {
  if (micro === null || micro === undefined) return DASH;
  return `¥${point(micro, 6).replace(/(\.\d\d\d*?)0+$/, "$1")}`;
}

/** Watt hours as kWh, exact: two decimals, or three where the last is not zero. */
export function kwh(wh) {
  if (wh === null || wh === undefined) return DASH;
  return grouped(wh % 10 === 0 ? point(wh / 10, 2) : point(wh, 3));
}

/** Watt hours of a meter that runs: two decimals, never more than was measured. */
export function kwhRunning(wh) {
  return grouped(point((wh - (wh % 10)) / 10, 2));
}

/** Watts as kW with one decimal. */
export function kw(watts) {
  return point((watts - (watts % 100)) / 100, 1);
}

/** The rating of a plug: 7 kW, 3.5 kW. */
export function rating(watts) {
  return `${kw(watts).replace(/\.0$/, "")} kW`;
}

/** Metres, or kilometres with one decimal. */
export function distance(metres) {
  if (metres === null || metres === undefined) return "";
  if (metres < 1000) return `${metres} m`;
  if (metres < 100_000) return `${point((metres - (metres % 100)) / 100, 1).replace(/\.0$/, "")} km`;
  return `${(metres - (metres % 1000)) / 1000} km`;
}

/** Seconds as hours and minutes; under a minute it says so. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return DASH;
  const minutes = (seconds - (seconds % 60)) / 60;
  if (minutes < 1) return t("under_a_minute");
  const hours = (minutes - (minutes % 60)) / 60;
  return hours ? t("hours_minutes", { hours, minutes: minutes % 60 }) : t("minutes", { minutes });
}

/** Minutes of a day as a clock shows them. */
export function clock(minute) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two((minute - (minute % 60)) / 60)}:${two(minute % 60)}`;
}

/** The zone of stations and bills, wherever the phone believes to be. */
const ZONE = "Asia/Shanghai";

function formatted(at, options) {
  const tag = language() === "zh" ? "zh-CN" : "en-GB";
  return new Intl.DateTimeFormat(tag, { timeZone: ZONE, ...options }).format(new Date(at));
}

/** Date and time of an instant. */
export function when(at) {
  return formatted(at, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** The date with its year. */
export function day(at) {
  return formatted(at, { year: "numeric", month: "short", day: "numeric" });
}

/** The time of day. */
export function time(at) {
  return formatted(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** What somebody typed, as a whole number of the unit `places` digits smaller; null where it is none. */
export function typed(text, places) {
  const match = /^\s*(\d{1,7})(?:\.(\d*))?\s*$/.exec(text);
  if (!match || (match[2] ?? "").length > places) return null;
  return Number(match[1] + (match[2] ?? "").padEnd(places, "0"));
}

/** What kind of plug, and how strong: DC · 60 kW. */
export function kindOf({ kind, kindText, ratedPowerW }) {
  return `${kind ? t(`kind_${kind.toLowerCase()}`) : kindText} · ${rating(ratedPowerW)}`;
}
