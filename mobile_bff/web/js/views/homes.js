// Which home a driver belongs to: chosen by its name, or its code typed.
import { HOMES } from "../documents.js";
import { ask } from "../api.js";
import { add, fill, h, pause } from "../dom.js";
import { field, skeleton } from "../parts.js";
import { language, t } from "../i18n.js";

const KEPT = "interpile.homes";
const KEPT_MOST = 5;
const OTHER = "other";
const PAGES_MOST = 20;
const WAIT_MS = 3000;

/** The homes of those who signed in on this phone, the last one first. */
export function keptHomes() {
  return JSON.parse(localStorage.getItem(KEPT) ?? "[]");
}

/** Offer this one first from now on. */
export function keepHome(home) {
  const others = keptHomes().filter((one) => one !== home);
  localStorage.setItem(KEPT, JSON.stringify([home, ...others].slice(0, KEPT_MOST)));
}

/**
 * The choice; `wanted` is the code to begin with. Gives `node`, `value()`: the code, and `error()`: say what is
 * missing. `onPick` hears the home, or null for one whose code is typed.
 */
export function homeChoice(wanted, signal, onPick) {
  const node = h("div", { class: "stack" }, skeleton(1));
  let [value, error] = [() => "", () => {}];

  function show(homes) {
    const typed = codeField(homes.length ? t("home_code") : t("home_operator"), wanted);
    const typedCode = () => typed.input.value.trim().toUpperCase();
    const typedError = () => typed.error(t("fill_home"));
    if (!homes.length) {
      [value, error] = [typedCode, typedError];
      fill(node, typed.node);
      return;
    }
    const { input, node: choice, error: pickError } = select(homes, wanted);
    const isOther = () => input.value === OTHER;
    const picked = () => {
      typed.node.hidden = !isOther();
      onPick(homes.find((one) => one.partyId === input.value) ?? null);
    };
    value = () => (isOther() ? typedCode() : input.value);
    error = () => (isOther() ? typedError() : pickError(t("pick_home")));
    input.addEventListener("change", () => { picked(); if (isOther()) typed.input.focus(); });
    fill(node, choice, typed.node);
    picked();
  }
  // A line that is slow, or lost, must not keep anybody from typing.
  Promise.race([allHomes(signal), pause(WAIT_MS, signal).then(() => [])]).catch(() => [])
    .then((homes) => { if (!signal.aborted) show(homes); });
  return { node, value: () => value(), error: () => error() };
}

async function allHomes(signal) {
  const homes = [];
  let after = null;
  for (let pages = 0; pages === 0 || (after !== null && pages < PAGES_MOST); pages += 1) {
    const { homeOperators: page } = await ask(HOMES, { after }, { signal });
    homes.push(...page.edges.map((edge) => edge.node));
    after = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  }
  return homes.sort((one, other) => one.name.localeCompare(other.name, language()));
}

function codeField(label, value) {
  const props = { value, maxlength: 9, autocapitalize: "characters", autocomplete: "off", spellcheck: "false", class: "code", name: "home" };
  return field(label, props, { hint: t("home_hint") });
}

function select(homes, wanted) {
  const made = field(t("home_operator"), { name: "choice" }, { tag: "select" });
  const isDouble = (name) => homes.filter((one) => one.name === name).length > 1;
  add(made.input, [
    h("option", { value: "", disabled: true }, t("home_choose")),
    homes.map(({ partyId, name }) => h("option", { value: partyId }, isDouble(name) ? `${name} · ${partyId}` : name)),
    h("option", { value: OTHER }, t("home_other")),
  ]);
  const isListed = homes.some((one) => one.partyId === wanted);
  const alone = homes.length === 1 ? homes[0].partyId : "";
  made.input.value = isListed ? wanted : wanted ? OTHER : alone;
  return made;
}
