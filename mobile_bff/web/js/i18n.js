// The two languages: which one is spoken, and the words of this page. Words for refusals come from the server.
import { en } from "./words/en.js";
import { zh } from "./words/zh.js";

const TABLES = { zh, en };
const KEPT = "interpile.language";
const heard = new Set();

let spoken = chosen() ?? (navigator.languages?.some((tag) => /^zh/i.test(tag)) ? "zh" : "en");

function chosen() {
  const kept = localStorage.getItem(KEPT);
  return kept in TABLES ? kept : null;
}

/** "zh" or "en". */
export function language() {
  return spoken;
}

/** Speak the other one from now on. */
export function switchLanguage() {
  spoken = spoken === "zh" ? "en" : "zh";
  localStorage.setItem(KEPT, spoken);
  for (const listener of heard) listener();
}

/** Call when the language changes. */
export function onLanguage(listener) {
  heard.add(listener);
}

/** The words for a key; {name} is replaced by the value of that name. */
export function t(key, values = {}) {
  const words = TABLES[spoken][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** The word for a value of an enum; one newer than this page is shown as it came. */
export function word(kind, value, text = "") {
  return TABLES[spoken][`${kind}.${value}`] ?? text;
}
