// What was scanned: connector, prices, hold and goal, and the button that starts it.
import { START } from "../documents.js";
import { Trouble } from "../http.js";
import { busyButton, fact, field, note, segments, troubleBox } from "../parts.js";
import { carryOut } from "../intents.js";
import { dayOfPrices } from "../prices.js";
import { fill, h, pause, say } from "../dom.js";
import { go } from "../router.js";
import { kindOf, money, typed } from "../format.js";
import { t, word } from "../i18n.js";

const DOUBTFUL = new Set(["CHARGING", "FAULTED", "OFFLINE", "RESERVED"]);
const STALE = new Set(["price_changed", "scan_expired", "scan_used", "scan_unknown"]);
// Two minutes from the answer, less its way: counted here, for the phone's clock may be wrong.
const VALID_MS = 118_000;
const GOALS = {
  ENERGY: { name: "energy", places: 3, unit: "unit_kwh", most: 500, picks: [10, 20, 30, 50] },
  AMOUNT: { name: "amount", places: 2, unit: "unit_yuan", most: 5000, picks: [10, 20, 30, 50] },
  TIME: { name: "seconds", places: 0, times: 60, unit: "unit_minutes", most: 1440, picks: [15, 30, 60, 120] },
};

/** The offer. `again(why)` scans anew. */
export function offer(scan, now, signal, again) {
  const trouble = h("div", { class: "stack" });
  const goal = goalPicker(scan);
  const start = busyButton(`${t("start")} · ${t("hold")} ${money(scan.hold)}`, t("starting"), "primary wide big", async () => {
    const target = goal.read();
    if (target === undefined) return;
    fill(trouble);
    await begin(scan, target, trouble, again);
  });
  return [
    h("section", { class: "card" },
      h("div", { class: "between" },
        h("h2", {}, scan.stationName),
        h("span", { class: `state ${(scan.state ?? "").toLowerCase()}` }, h("span", { class: "dot" }), word("connector", scan.state, scan.stateText))),
      scan.address && h("p", { class: "muted" }, scan.address),
      h("dl", { class: "facts two" },
        fact(t("connector_no"), scan.connector.split(".")[0]),
        fact(t("power"), kindOf(scan)))),
    h("section", { class: "card" }, dayOfPrices(scan.tariff, now)),
    h("section", { class: "card" }, h("h2", { class: "small-title" }, t("target")), goal.node),
    h("section", { class: "card hold" },
      h("div", { class: "between" }, h("h2", { class: "small-title" }, t("hold")), h("strong", { class: "price" }, money(scan.hold))),
      h("p", { class: "muted" }, t("hold_note"))),
    DOUBTFUL.has(scan.state) && note(t("not_free_note", { state: word("connector", scan.state, scan.stateText) }), "warn"),
    h("div", { class: "deck" }, trouble, start, validity(signal, start, again)),
  ];
}

async function begin(scan, target, trouble, again) {
  try {
    const session = await carryOut(`start:${scan.scanId}`, START, { scanId: scan.scanId, target });
    go(`#/charge/${encodeURIComponent(session.id)}`, { isInstead: true });
  } catch (problem) {
    if (!(problem instanceof Trouble)) throw problem;
    if (problem.code === "price_changed") again(problem.message);
    else fill(trouble, troubleBox(problem, problem.isUndecided && h("p", {}, t("start_unsure")), STALE.has(problem.code) && renew(again)));
  }
}

function renew(again) {
  return h("button", { type: "button", class: "button", on: { click: () => again(null) } }, t("refresh_price"));
}

/** How long the price is held; then the button gives way to another scan. */
function validity(signal, start, again) {
  const line = h("p", { class: "muted centred", role: "timer" });
  const endsAt = Date.now() + VALID_MS;
  const tick = async () => {
    for (;;) {
      const left = Math.ceil((endsAt - Date.now()) / 1000);
      if (left <= 0) break;
      say(line, t("price_valid", { minutes: Math.floor(left / 60), seconds: String(left % 60).padStart(2, "0") }));
      await pause(1000, signal);
      if (signal.aborted) return;
    }
    if (start.getAttribute("aria-busy") === "true") return;
    start.hidden = true;
    fill(line, t("scan_expired_note"));
    line.after(renew(again));
  };
  tick();
  return line;
}

/** Full, or so much energy, money or time. `read()` gives the target, null for full, undefined when it is wrong. */
function goalPicker(scan) {
  const place = h("div", { class: "stack" });
  let chosen = null;
  const show = (kind) => {
    chosen = kind === "FULL" ? null : amountOf(kind, scan);
    fill(place, chosen ? chosen.nodes : h("p", { class: "muted" }, t("target_full_note")));
  };
  const kinds = ["FULL", ...Object.keys(GOALS)].map((kind) => [kind, t(`target.${kind}`)]);
  show("FULL");
  return {
    node: h("div", { class: "stack" }, segments(t("target"), kinds, "FULL", show), place),
    read: () => (chosen ? chosen.read() : null),
  };
}

function amountOf(kind, scan) {
  const goal = GOALS[kind];
  const input = field(t(`target.${kind}`), { inputmode: goal.places ? "decimal" : "numeric", autocomplete: "off", value: String(goal.picks[1]) }, { after: h("span", { class: "unit" }, t(goal.unit)) });
  const over = h("p", { class: "muted" });
  const wholes = () => {
    const whole = typed(input.input.value, goal.places);
    return whole === null ? null : whole * (goal.times ?? 1);
  };
  const least = goal.times ?? 1;
  const most = goal.most * 10 ** goal.places * (goal.times ?? 1);
  const look = () => say(over, kind === "AMOUNT" && (wholes() ?? 0) > scan.hold ? t("target_over_hold", { hold: money(scan.hold) }) : "");
  input.input.addEventListener("input", look);
  const pick = (value) => h("button", { type: "button", class: "chip", on: { click: () => { input.input.value = String(value); input.error(""); look(); } } }, `${value} ${t(goal.unit)}`);
  look();
  return {
    nodes: [input.node, h("div", { class: "chips" }, goal.picks.map(pick)), over],
    read: () => {
      const whole = wholes();
      if (whole !== null && whole >= least && whole <= most) return { [goal.name]: whole };
      input.error(t("target_wrong", { least: 1, most: goal.most }));
      return undefined;
    },
  };
}
