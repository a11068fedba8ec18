// Fault reports: the form, and what came of earlier ones.
import { FAULTS, REPORT_FAULT } from "../documents.js";
import { Trouble } from "../http.js";
import { busyButton, empty, endless, field, heading, signInCall, toast, troubleBox } from "../parts.js";
import { carryOut } from "../intents.js";
import { fill, h } from "../dom.js";
import { go } from "../router.js";
import { icon } from "../icons.js";
import { isSignedIn } from "../account.js";
import { t, word } from "../i18n.js";
import { when } from "../format.js";

const KINDS = ["WONT_START", "WONT_STOP", "CABLE_STUCK", "DAMAGED", "DISPLAY", "PRICE_WRONG", "BLOCKED_BY_CAR", "OTHER"];
const PHOTOS_MOST = 5;

/** The form; `?connector=` and `?session=` fill it. */
export function reportView({ query }) {
  if (!isSignedIn()) return h("div", { class: "page narrow" }, heading(t("report_fault"), "#/me"), signInCall(t("sign_in_lead_me")));
  const connector = field(t("report_connector"), { value: query.get("connector") ?? "", maxlength: 40, autocomplete: "off", autocapitalize: "off", spellcheck: "false", class: "code", name: "connector" }, { hint: t("report_connector_hint") });
  const kinds = kindChoice();
  const words = field(t("report_text"), { rows: 4, maxlength: 500, name: "text" }, { tag: "textarea", hint: t("report_text_hint") });
  const photos = field(t("report_photos"), { rows: 2, maxlength: 1600, spellcheck: "false", autocapitalize: "off", inputmode: "url", name: "photos" }, { tag: "textarea", hint: t("report_photos_hint") });
  const told = h("div", {});
  const send = busyButton(t("report_send"), t("report_sending"), "primary wide", async () => {
    const input = {
      connector: connector.input.value.trim(),
      kind: kinds.read(),
      text: words.input.value.trim(),
      photos: photos.input.value.split(/\s+/).filter(Boolean),
      sessionId: query.get("session"),
    };
    fill(told);
    if (!input.connector) connector.error(t("report_fill_connector"));
    else if (!input.kind) kinds.error();
    else if (input.photos.length > PHOTOS_MOST || !input.photos.every((link) => link.startsWith("https://"))) photos.error(t("report_photos_hint"));
    else await deliver(input, told);
  });
  return h("div", { class: "page narrow" }, heading(t("report_fault"), "#/me"),
    h("form", { class: "stack", on: { submit: (event) => { event.preventDefault(); send.run(); } } },
      h("div", { class: "card stack" }, connector.node, kinds.node, words.node, photos.node), told, send));
}

async function deliver(input, told) {
  try {
    await carryOut("report", REPORT_FAULT, input);
    toast(t("report_thanks"));
    go("#/reports", { isInstead: true });
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    fill(told, troubleBox(trouble));
  }
}

function kindChoice() {
  const hint = h("small", { class: "hint" });
  const chosen = () => {
    fill(hint);
    node.classList.remove("wrong");
  };
  const option = (kind) => h("label", { class: "choice" }, h("input", { type: "radio", name: "kind", value: kind, on: { change: chosen } }), h("span", {}, t(`fault.${kind}`)));
  const node = h("fieldset", { class: "field" }, h("legend", {}, t("report_kind")), h("div", { class: "choices" }, KINDS.map(option)), hint);
  return {
    node,
    read: () => node.querySelector("input:checked")?.value ?? null,
    error: () => { fill(hint, t("report_pick_kind")); node.classList.add("wrong"); node.querySelector("input").focus(); },
  };
}

/** What the driver reported. */
export function reportsView({ signal }) {
  const head = heading(t("my_reports"), "#/me");
  if (!isSignedIn()) return h("div", { class: "page narrow" }, head, signInCall(t("sign_in_lead_me")));
  return h("div", { class: "page narrow" }, head, endless(FAULTS, {}, signal, {
    read: (data) => data.faults,
    item: report,
    none: () => empty("wrench", t("no_reports"), h("a", { class: "button", href: "#/report" }, t("report_fault"))),
  }));
}

function report(fault) {
  return h("article", { class: "card report" },
    h("div", { class: "between" },
      h("strong", {}, word("fault", fault.kind, fault.kindText)),
      h("span", { class: `tag ${(fault.state ?? "").toLowerCase()}` }, word("fault_state", fault.state, fault.stateText))),
    h("p", { class: "muted" }, [fault.stationName, fault.connector.split(".")[0]].filter(Boolean).join(" · ")),
    fault.text && h("p", {}, fault.text),
    fault.photos.length > 0 && h("p", { class: "photos" }, fault.photos.map(photo)),
    h("p", { class: "muted" }, [t("reported_at", { at: when(fault.reportedAt) }), word("order", fault.orderState, fault.orderStateText)].filter(Boolean).join(" · ")),
    fault.outcome && h("p", { class: "outcome" }, icon("check", 18), h("span", {}, h("span", { class: "muted" }, `${t("outcome")}: `), fault.outcome)));
}

/** A link somebody gave: followed only where it is of the web, and without telling where it was found. */
function photo(link) {
  return link.startsWith("https://") ? h("a", { href: link, rel: "noopener noreferrer", target: "_blank" }, link) : link;
}
