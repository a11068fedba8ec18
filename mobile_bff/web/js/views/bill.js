// The bill of a charge, with its lines and what was taken and given back.
import { RECORD } from "../documents.js";
import { ask } from "../api.js";
import { day, duration, kwh, money, price, time, when } from "../format.js";
import { empty, fact, heading, loaded } from "../parts.js";
import { fill, h, pause } from "../dom.js";
import { icon } from "../icons.js";
import { t, word } from "../i18n.js";

const AGAIN_MS = 2000;
const TRIES = 30;

/** The view. */
export function billView({ id, signal }) {
  return h("div", { class: "page narrow" }, loaded(RECORD, { id }, signal, ({ chargeRecord }) => {
    if (!chargeRecord) return [heading(t("bill"), "#/charges"), empty("bill", t("not_found"))];
    return bill(chargeRecord, signal);
  }, { lines: 6 }));
}

function bill(record, signal) {
  const settled = h("div", { class: "stack" });
  showSettlement(settled, record, signal);
  const took = Math.floor((Date.parse(record.endedAt) - Date.parse(record.startedAt)) / 1000);
  return [
    heading(t("bill"), "#/charges"),
    h("section", { class: "card bill-head" },
      h("p", { class: "muted" }, record.place?.stationName ?? record.connector),
      h("p", { class: "bill-amount" }, money(record.amount)),
      h("p", {}, `${kwh(record.energy)} ${t("unit_kwh")} · ${duration(took)}`),
      h("p", { class: "muted" }, `${day(record.startedAt)} ${time(record.startedAt)}–${time(record.endedAt)}`)),
    settled,
    h("section", { class: "card" },
      h("h2", { class: "small-title" }, t("lines")),
      h("ul", { class: "lines" }, record.lines.map(line), record.fees.map(feeLine)),
      h("dl", { class: "sums" },
        fact(t("electricity"), money(record.electricity)),
        fact(t("service"), money(record.service)),
        record.parking > 0 && fact(t("parking"), money(record.parking)),
        record.idle > 0 && fact(t("idle"), money(record.idle)),
        fact(t("total"), money(record.amount), "total"))),
    h("dl", { class: "card facts" },
      fact(t("connector_no"), record.connector),
      record.metered && fact(t("meter"), `${kwh(record.meterStart)} → ${kwh(record.meterEnd)}`),
      fact(t("ended_because"), word("stop", record.stopReason, record.stopReasonText)),
      fact(t("bill_no"), h("code", {}, record.id))),
    h("a", { class: "quiet-link", href: `#/report?connector=${encodeURIComponent(record.connector)}&session=${encodeURIComponent(record.sessionId)}` }, icon("wrench", 18), t("report_this")),
  ];
}

function line(one) {
  const unit = t("per_kwh");
  const fee = (name, micro, fen) => h("span", { class: "line-fee muted" }, h("span", {}, `${t(name)} ${price(micro)}${unit}`), h("span", {}, money(fen)));
  return h("li", {},
    h("span", { class: "line-head" }, h("strong", {}, `${time(one.start)}–${time(one.end)}`), h("span", {}, `${kwh(one.energy)} ${t("unit_kwh")}`), h("strong", {}, money(one.electricity + one.service))),
    fee("electricity", one.electricityMicro, one.electricity),
    fee("service", one.serviceMicro, one.service));
}

/** Money for time: from the end of the free minutes. */
function feeLine(one) {
  return h("li", { class: `fee-${one.kind}` },
    h("span", { class: "line-head" }, h("strong", {}, `${time(one.start)}–${time(one.end)}`), h("span", {}, t(one.kind)), h("strong", {}, money(one.amount))),
    h("span", { class: "line-fee muted" }, h("span", {}, `${price(one.priceMicroPerHour)}${t("per_hour")}`), h("span", {}, money(one.amount))));
}

/** What the home did with the hold; until it has answered, asked for again. */
async function showSettlement(place, record, signal) {
  let settlement = record.settlement;
  if (!settlement) fill(place, h("p", { class: "note", role: "status" }, h("span", { class: "spinner" }), t("settling")));
  for (let times = 0; !settlement && times < TRIES; times += 1) {
    await pause(AGAIN_MS, signal);
    if (signal.aborted) return;
    settlement = (await ask(RECORD, { id: record.id }, { signal }).catch(() => null))?.chargeRecord?.settlement;
  }
  if (!settlement) return;
  fill(place, h("section", { class: "card settled" },
    h("dl", { class: "facts two" },
      fact(t("paid"), money(settlement.captured), "strong"),
      fact(t("released"), money(settlement.released))),
    h("p", { class: "muted" }, icon("check", 16), t("settled_at", { at: when(settlement.settledAt) }))));
}
