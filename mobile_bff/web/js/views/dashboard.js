// The ring, the figures and the curve of a charge.
import { duration, kw, kwhRunning, money } from "../format.js";
import { fact } from "../parts.js";
import { h, say } from "../dom.js";
import { isFlowing, isOver } from "../charges.js";
import { makeCurve } from "../curve.js";
import { makeRing } from "../ring.js";
import { t, word } from "../i18n.js";

/** `node`; `show(session)` draws it, `mark(update)` adds to the curve, `link(how)` tells how the line is. */
export function dashboard(session) {
  const ring = makeRing();
  const curve = makeCurve();
  const big = h("p", { class: "ring-big" });
  const unit = h("small", {});
  const state = h("p", { class: "ring-state" });
  const left = h("p", { class: "ring-left muted", "data-value": "time_left" });
  const link = h("p", { class: "link-state", role: "status" });
  const values = Object.fromEntries(["energy", "amount", "power_now", "elapsed", "soc", "hold"].map((name) => [name, h("span", { "data-value": name })]));
  const units = { energy: ` ${t("unit_kwh")}`, power_now: " kW" };
  const facts = Object.entries(values).map(([name, value]) => fact(t(name), [value, units[name] && h("small", {}, units[name])], name));
  let began = session.startedAt;

  function show(now) {
    ring.set({ percent: now.percent, isFlowing: isFlowing(now.state) });
    say(big, now.percent === null ? kwhRunning(now.energy) : String(now.percent));
    say(unit, now.percent === null ? t("unit_kwh") : "%");
    say(state, word("state", now.state, now.stateText));
    state.dataset.state = now.state ?? "";
    say(values.energy, kwhRunning(now.energy));
    say(values.amount, money(now.amount));
    say(values.power_now, kw(now.powerW));
    say(left, now.secondsLeft === null || isOver(now.state) ? "" : t("time_left", { time: duration(now.secondsLeft) }));
    say(values.hold, money(now.limit));
    say(values.soc, now.socPercent === null || now.socPercent === undefined ? "–" : `${now.socPercent}%`);
    say(values.elapsed, began && now.at ? duration(secondsBetween(began, now.at)) : "–");
  }
  function mark(update, startedAt) {
    began ??= startedAt ?? update.at;
    if (isFlowing(update.state) || update.state === "ENDED") curve.add(secondsBetween(began, update.at), update.powerW);
  }
  function linked(how) {
    link.dataset.link = how;
    say(link, t(how));
  }

  const node = h("div", { class: "stack" },
    h("section", { class: "card ring-card" },
      link,
      h("div", { class: "ring-box" }, ring.node, h("div", { class: "ring-words" }, h("div", { class: "ring-figure" }, big, unit), state)),
      left),
    h("dl", { class: "facts tiles" }, facts),
    h("section", { class: "card" }, h("h2", { class: "small-title" }, t("power_curve")), curve.node));
  return { node, show, mark, link: linked };
}

function secondsBetween(from, until) {
  return Math.max(0, Math.floor((Date.parse(until) - Date.parse(from)) / 1000));
}
