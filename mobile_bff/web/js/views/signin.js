// Sign in: phone and one-time code, or what the driver's own operator has signed.
import { SEND_CODE, SIGN_IN_BY_ASSERTION, SIGN_IN_BY_CODE } from "../documents.js";
import { Trouble } from "../http.js";
import { busyButton, field, heading, note, segments, skeleton, troubleBox } from "../parts.js";
import { demand } from "../api.js";
import { fill, h, pause, say } from "../dom.js";
import { go, rename } from "../router.js";
import { homeChoice, keepHome, keptHomes } from "./homes.js";
import { isSignedIn, signIn } from "../account.js";
import { t } from "../i18n.js";

const AGAIN_S = 60;

/** The view; `?assertion=` signs in at once, `?home=` is chosen, `?back=` is where to go on. */
export function signInView({ query, signal }) {
  const on = () => go(backTo(query), { isInstead: true });
  if (isSignedIn()) {
    queueMicrotask(on);
    return h("div", {});
  }
  const assertion = query.get("assertion");
  const place = h("div", { class: "stack" });
  if (assertion) {
    // It must not stay in the address: it would be kept in the history.
    rename(`#/signin?back=${encodeURIComponent(query.get("back") ?? "")}`);
    fill(place, skeleton(2));
    byAssertion(assertion, on).catch((trouble) => fill(place, shown(trouble), ways(query, signal, on)));
  } else {
    fill(place, ways(query, signal, on));
  }
  return h("div", { class: "page narrow" }, heading(t("sign_in")), h("p", { class: "muted" }, t("sign_in_lead")), place);
}

/** Only places of this page. */
function backTo(query) {
  const back = query.get("back") ?? "";
  return back.startsWith("/") && !back.startsWith("/signin") ? `#${back}` : "#/me";
}

function ways(query, signal, on) {
  const place = h("form", { class: "card stack", on: { submit: (event) => { event.preventDefault(); place.querySelector(".primary").click(); } } });
  const toAssertion = () => tabs.lastElementChild.click();
  const make = { code: () => codeForm(query, signal, on, toAssertion), assertion: () => assertionForm(on) };
  const show = (way) => fill(place, make[way]());
  const tabs = segments(t("sign_in"), [["code", t("by_code")], ["assertion", t("by_assertion")]], "code", show);
  show("code");
  return [tabs, place];
}

function codeForm(query, signal, on, toAssertion) {
  const rest = h("div", { class: "stack" });
  const home = homeChoice(query.get("home") ?? keptHomes()[0] ?? "", signal, (picked) => {
    fill(rest, picked && !picked.byCode ? elsewhere(picked, toAssertion) : [phone.node, code.node, told, enter]);
  });
  const phone = field(t("phone"), { type: "tel", inputmode: "tel", autocomplete: "tel", maxlength: 16, name: "phone" });
  const send = h("button", { type: "button", class: "link", on: { click: () => sendCode() } }, t("send_code"));
  const code = field(t("one_time_code"), { inputmode: "numeric", autocomplete: "one-time-code", maxlength: 6, class: "code", placeholder: t("six_digits"), name: "code" }, { after: send });
  const told = h("div", {});
  const given = () => ({ home: home.value(), phone: phone.input.value.replace(/[\s-]/g, "") });

  function isFilled() {
    const { home: party, phone: number } = given();
    if (!/^[0-9A-Z]{9}$/.test(party)) home.error();
    else if (!/^\+?[0-9]{6,15}$/.test(number)) phone.error(t("fill_phone"));
    else return true;
    return false;
  }
  async function sendCode() {
    if (!isFilled() || send.disabled) return;
    send.disabled = true;
    fill(told);
    try {
      await demand(SEND_CODE, given());
      fill(told, note(t("code_sent")));
      code.input.focus();
    } catch (trouble) {
      fill(told, shown(trouble));
      if (trouble.code === "offline") { send.disabled = false; return; }
    }
    await countDown();
  }
  async function countDown() {
    for (let left = AGAIN_S; left > 0 && !signal.aborted; left -= 1) {
      say(send, t("send_again", { seconds: left }));
      await pause(1000, signal);
    }
    send.disabled = false;
    say(send, t("send_code"));
  }
  const enter = busyButton(t("sign_in"), t("signing_in"), "primary wide", async () => {
    if (!isFilled()) return;
    const digits = code.input.value.trim();
    if (!/^[0-9]{6}$/.test(digits)) { code.error(t("fill_code")); return; }
    try {
      signIn((await demand(SIGN_IN_BY_CODE, { ...given(), code: digits })).result);
      keepHome(given().home);
      on();
    } catch (trouble) {
      fill(told, shown(trouble));
    }
  });
  fill(rest, phone.node, code.node, told, enter);
  return [home.node, rest];
}

/** What those are told to whom no code can be sent. */
function elsewhere({ name }, toAssertion) {
  return [note(t("home_by_app", { name })), h("button", { type: "button", class: "button primary wide", on: { click: toAssertion } }, t("by_assertion"))];
}

function assertionForm(on) {
  const text = field(t("assertion"), { rows: 4, maxlength: 4000, spellcheck: "false", autocomplete: "off", class: "code", name: "assertion" }, { tag: "textarea", hint: t("assertion_hint") });
  const told = h("div", {});
  const enter = busyButton(t("sign_in"), t("signing_in"), "primary wide", async () => {
    const assertion = text.input.value.trim();
    if (!assertion) { text.error(t("fill_assertion")); return; }
    await byAssertion(assertion, on).catch((trouble) => fill(told, shown(trouble)));
  });
  return [text.node, told, enter];
}

async function byAssertion(assertion, on) {
  signIn((await demand(SIGN_IN_BY_ASSERTION, { assertion })).result);
  on();
}

function shown(trouble) {
  if (!(trouble instanceof Trouble)) throw trouble;
  return troubleBox(trouble);
}
