// A charge as it runs: ring, figures and power curve from the live updates; stop; then on to the bill.
import { SESSION_BY_ID, STOP } from "../documents.js";
import { Trouble } from "../http.js";
import { ask } from "../api.js";
import { busyButton, confirm, empty, heading, loaded, note, troubleBox } from "../parts.js";
import { carryOut } from "../intents.js";
import { dashboard } from "./dashboard.js";
import { fill, h } from "../dom.js";
import { findBill, hasFailed, isOver, isRunning } from "../charges.js";
import { follow } from "../live.js";
import { go } from "../router.js";
import { icon } from "../icons.js";
import { kindOf, kwhRunning, money } from "../format.js";
import { t, word } from "../i18n.js";

/** The view. */
export function chargeView({ id, signal }) {
  return h("div", { class: "page narrow" }, loaded(SESSION_BY_ID, { id }, signal, ({ chargingSession }) => {
    if (!chargingSession) return [heading(t("charging"), "#/charges"), empty("bolt", t("charge_not_found"))];
    return running(chargingSession, signal);
  }, { lines: 6 }));
}

function running(first, signal) {
  const session = { ...first };
  const board = dashboard(session);
  const foot = h("div", { class: "deck" });
  const told = h("div", { class: "stack" });
  const stop = stopButton(session, told);

  function show(update = {}) {
    Object.assign(session, update);
    board.show(session);
    if (isRunning(session.state) || session.state === "UNKNOWN") fill(foot, told, stop);
    else if (hasFailed(session.state)) fill(foot, failure(session));
    else ended();
  }
  let isEnding = false;
  async function ended() {
    if (isEnding) return;
    isEnding = true;
    fill(foot, h("p", { class: "note", role: "status" }, h("span", { class: "spinner" }), t("making_bill")));
    const bill = await findBill(session, signal);
    if (signal.aborted) return;
    if (bill) go(`#/bill/${encodeURIComponent(bill)}`, { isInstead: true });
    else fill(foot, note(t("bill_late")), h("a", { class: "button", href: "#/charges" }, t("bills")));
  }

  show();
  if (!hasFailed(session.state)) {
    follow(session.id, {
      after: 0,
      signal,
      onUpdate: (update) => { board.mark(update, session.startedAt); show(update); },
      onLink: board.link,
      onComplete: () => lookAgain(session.id, signal, show),
      onRefused: () => fill(told, troubleBox(new Trouble("not_found", t("charge_not_found")))),
    });
  }
  return [heading(session.place?.stationName ?? t("charging"), "#/charges"), place(session), board.node, foot];
}

/** The updates have come to their end: is the charge over? */
async function lookAgain(id, signal, show) {
  const data = await ask(SESSION_BY_ID, { id }, { signal }).catch(() => null);
  if (!data?.chargingSession) return false;
  show(data.chargingSession);
  return isOver(data.chargingSession.state);
}

function place({ connector, place: where }) {
  return h("p", { class: "muted" }, [connector.split(".")[0], where && kindOf(where)].filter(Boolean).join(" · "));
}

function failure(session) {
  const why = session.refusalMessage ?? word("stop", session.stopReason, session.stopReasonText);
  return [
    h("div", { class: "note bad", role: "alert" }, icon("warn", 20), h("div", {}, h("p", {}, word("state", session.state)), why && h("p", {}, why), h("p", { class: "muted" }, t("held_back")))),
    h("a", { class: "button primary wide", href: "#/scan" }, icon("scan", 20), t("scan_again")),
  ];
}

function stopButton(session, told) {
  return busyButton(t("stop"), t("state.STOPPING"), "danger wide big", async () => {
    const soFar = t("stop_ask_note", { energy: kwhRunning(session.energy), amount: money(session.amount) });
    if (!(await confirm({ title: t("stop_ask"), note: soFar, yes: t("stop_yes"), no: t("keep_on") }))) return;
    fill(told);
    try {
      await carryOut(`stop:${session.id}`, STOP, { sessionId: session.id });
      fill(told, note(t("stop_sent")));
    } catch (trouble) {
      if (!(trouble instanceof Trouble)) throw trouble;
      // It may have ended by itself meanwhile; then the updates say so.
      fill(told, troubleBox(trouble));
    }
  });
}
