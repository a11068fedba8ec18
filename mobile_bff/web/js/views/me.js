// The driver: name, wallet, and the ways to everything that is his.
import { ME } from "../documents.js";
import { h } from "../dom.js";
import { fact, heading, loaded, signInCall } from "../parts.js";
import { icon } from "../icons.js";
import { isSignedIn, signOut } from "../account.js";
import { money } from "../format.js";
import { t } from "../i18n.js";

/** The view. */
export function meView({ signal }) {
  const way = (name, words, href) => h("li", {}, h("a", { class: "way", href }, icon(name), h("span", {}, words), icon("next", 18)));
  const act = (name, words, heard) => h("li", {}, h("button", { type: "button", class: "way", on: { click: heard } }, icon(name), h("span", {}, words)));
  const known = isSignedIn();
  return h("div", { class: "page narrow" },
    heading(t("me")),
    known ? loaded(ME, {}, signal, ({ me }) => who(me)) : signInCall(t("sign_in_lead_me")),
    known && h("ul", { class: "card ways" },
      way("bill", t("tab_charges"), "#/charges"), way("wrench", t("report_fault"), "#/report"), way("check", t("my_reports"), "#/reports"),
      act("leave", t("sign_out"), () => signOut())));
}

function who(me) {
  const name = me.name || me.subject;
  return [
    h("section", { class: "who" },
      h("span", { class: "avatar", "aria-hidden": "true" }, [...name][0]),
      h("div", {}, h("strong", {}, name), h("p", { class: "muted" }, me.homePartyId))),
    h("section", { class: "card wallet" }, h("h2", { class: "small-title" }, t("wallet")), me.wallet ? wallet(me.wallet) : h("p", { class: "muted" }, t("wallet_elsewhere"))),
  ];
}

function wallet({ balance, held, debt }) {
  return [
    h("p", { class: "muted" }, t("balance")),
    h("p", { class: "wallet-balance" }, money(balance)),
    (held !== null || debt !== null) && h("dl", { class: "facts two" },
      held !== null && fact(t("held"), money(held)),
      debt !== null && fact(t("debt"), money(debt), debt > 0 ? "owed" : "")),
  ];
}
