// Bills and charges of the past.
import { RECORDS, SESSIONS } from "../documents.js";
import { empty, endless, heading, segments, signInCall } from "../parts.js";
import { fill, h } from "../dom.js";
import { isRunning } from "../charges.js";
import { isSignedIn } from "../account.js";
import { kwh, kwhRunning, money, when } from "../format.js";
import { t, word } from "../i18n.js";

/** The view. */
export function historyView({ signal }) {
  if (!isSignedIn()) return h("div", { class: "page narrow" }, heading(t("tab_charges")), signInCall(t("sign_in_lead_me")));
  const place = h("div", { class: "stack" });
  const make = { bills, charges };
  const show = (which) => fill(place, make[which](signal));
  show("bills");
  return h("div", { class: "page narrow" }, heading(t("tab_charges")),
    segments(t("tab_charges"), [["bills", t("bills")], ["charges", t("charges")]], "bills", show), place);
}

function bills(signal) {
  return endless(RECORDS, {}, signal, {
    read: (data) => data.chargeRecords,
    item: (one) => item(`#/bill/${encodeURIComponent(one.id)}`, one, when(one.startedAt), kwh(one.energy)),
    none: () => empty("bill", t("no_bills"), h("a", { class: "button primary", href: "#/scan" }, t("scan"))),
  });
}

function charges(signal) {
  return endless(SESSIONS, {}, signal, {
    read: (data) => data.chargingSessions,
    item: (one) => item(`#/charge/${encodeURIComponent(one.id)}`, one, word("state", one.state, one.stateText), kwhRunning(one.energy), isRunning(one.state) ? "running" : ""),
    none: () => empty("bolt", t("no_charges"), h("a", { class: "button primary", href: "#/scan" }, t("scan"))),
  });
}

function item(href, one, words, energy, kind = "") {
  return h("a", { class: `item ${kind}`, href },
    h("div", { class: "item-main" },
      h("strong", {}, one.place?.stationName ?? one.connector),
      h("span", { class: "muted" }, [words, one.createdAt && when(one.startedAt ?? one.createdAt)].filter(Boolean).join(" · "))),
    h("div", { class: "item-side" }, h("span", { class: "price" }, money(one.amount)), h("span", { class: "muted" }, `${energy} ${t("unit_kwh")}`)));
}
