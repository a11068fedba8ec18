// The furniture of every view: messages, fields, choices, lists that go on.
import { Trouble } from "./http.js";
import { add, fill, h, pause, say } from "./dom.js";
import { askUntil } from "./api.js";
import { icon } from "./icons.js";
import { t } from "./i18n.js";

const TOAST_MS = 4000;
let fields = 0;

/** A line that appears at the foot and goes again. */
export async function toast(text, kind = "") {
  const line = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").replaceChildren(line);
  await pause(TOAST_MS);
  line.remove();
}

/** Ask before something is done; whether it was agreed to. */
export function confirm({ title, note, yes, no }) {
  return new Promise((decided) => {
    const answer = (value) => () => dialog.close(value);
    const dialog = h("dialog", { class: "ask", "aria-labelledby": "ask-title", on: {
      close: () => { dialog.remove(); decided(dialog.returnValue === "yes"); },
      click: (event) => { if (event.target === dialog) dialog.close("no"); },
    } },
    h("div", { class: "ask-box" },
      h("h2", { id: "ask-title" }, title),
      h("p", { class: "muted" }, note),
      h("div", { class: "row" },
        h("button", { class: "button", type: "button", on: { click: answer("no") } }, no),
        h("button", { class: "button danger", type: "button", on: { click: answer("yes") } }, yes))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Grey bars where something will stand. */
export function skeleton(lines = 3) {
  return h("div", { class: "skeleton", role: "status", "aria-label": t("loading") },
    Array.from({ length: lines }, () => h("div", {})));
}

/** Where there is nothing to show, and what one might do. */
export function empty(name, text, ...more) {
  return h("div", { class: "empty" }, icon(name, 40), h("p", {}, text), more);
}

/** What went wrong, as told, with its code for whoever helps. */
export function troubleBox(trouble, ...more) {
  return h("div", { class: "note bad", role: "alert" },
    icon("warn", 20),
    h("div", {}, h("p", {}, trouble.message), trouble.code !== "offline" && h("code", {}, trouble.code), more));
}

/** A calm remark. */
export function note(text, kind = "") {
  return h("p", { class: `note ${kind}` }, text);
}

/** A place that fills itself: a skeleton, then what `make` makes of the answer; it tries until there is one. */
export function loaded(document, variables, signal, make, { lines = 3 } = {}) {
  const place = h("div", { class: "stack" }, skeleton(lines));
  const onTrouble = (trouble) => {
    if (trouble.code === "offline") return; // the banner says so
    if (!place.querySelector(".bad")) place.prepend(troubleBox(trouble));
    else say(place.querySelector(".bad p"), trouble.message);
  };
  askUntil(document, variables, { signal, onTrouble }).then(
    (data) => fill(place, make(data)),
    (trouble) => { if (!signal.aborted) fill(place, refused(trouble)); },
  );
  return place;
}

/** What stands where an answer was refused. */
function refused(trouble) {
  if (!(trouble instanceof Trouble)) throw trouble;
  return ["unauthenticated", "token_invalid"].includes(trouble.code) ? signInCall(t("need_sign_in")) : troubleBox(trouble);
}

/** The way to sign in, and back to here. */
export function signInCall(text) {
  const back = encodeURIComponent(location.hash.slice(1));
  return empty("person", text, h("a", { class: "button primary", href: `#/signin?back=${back}` }, t("sign_in")));
}

/** A labelled field. `props` go to the input; `error(text)` says what is wrong with it. */
export function field(label, props = {}, { hint = "", tag = "input", after = null } = {}) {
  fields += 1;
  const id = `field-${fields}`;
  const hinted = h("small", { id: `${id}-hint`, class: "hint" }, hint);
  const input = h(tag, { id, "aria-describedby": `${id}-hint`, ...props });
  const node = h("div", { class: "field" }, h("label", { for: id }, label), h("div", { class: "field-box" }, input, after), hinted);
  const error = (text) => {
    say(hinted, text || hint);
    node.classList.toggle("wrong", Boolean(text));
    if (text) { input.setAttribute("aria-invalid", "true"); input.focus(); } else input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => error(""));
  return { node, input, error };
}

/** One of a few, side by side. `options` are [value, text]; `onPick` hears the value. */
export function segments(label, options, value, onPick) {
  const buttons = options.map(([name, text]) => h("button", {
    type: "button", "aria-pressed": String(name === value), on: { click: () => pick(name) },
  }, text));
  const pick = (name) => {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(options[at][0] === name)));
    onPick(name);
  };
  return h("div", { class: "segments", role: "group", "aria-label": label }, buttons);
}

/** A button that works while its promise does: no second tap, and a word for the waiting. */
export function busyButton(text, waiting, kind, act) {
  const label = h("span", {}, text);
  const button = h("button", { type: "button", class: `button ${kind}`, on: { click: run } }, label);
  async function run() {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    say(label, waiting);
    try {
      await act();
    } finally {
      button.removeAttribute("aria-busy");
      say(label, text);
    }
  }
  return Object.assign(button, { run });
}

/** A list that loads its next page when its end comes into sight. `read` finds the connection in the data. */
export function endless(document, variables, signal, { read, item, none, onPage = () => {} }) {
  const list = h("ul", { class: "list" });
  const foot = h("div", { class: "foot" });
  const place = h("div", { class: "stack" }, list, foot);
  const watch = new IntersectionObserver(([seen]) => { if (seen.isIntersecting) more(); }, { rootMargin: "400px" });
  signal.addEventListener("abort", () => watch.disconnect());
  let after = null;
  let isBusy = false;

  async function more() {
    if (isBusy || signal.aborted) return;
    isBusy = true;
    watch.unobserve(foot);
    fill(foot, skeleton(list.childElementCount ? 1 : 4));
    try {
      const onTrouble = (trouble) => { if (trouble.code !== "offline") fill(foot, troubleBox(trouble)); };
      const data = await askUntil(document, { ...variables, after }, { signal, onTrouble });
      if (!signal.aborted) show(read(data));
    } catch (trouble) {
      if (!signal.aborted) fill(foot, refused(trouble));
    }
    isBusy = false;
  }
  function show(page) {
    const nodes = page.edges.map((edge) => edge.node);
    add(list, nodes.map((node) => h("li", {}, item(node))));
    onPage(nodes, after === null);
    after = page.pageInfo.endCursor;
    fill(foot, list.childElementCount ? null : none());
    if (page.pageInfo.hasNextPage) watch.observe(foot);
  }
  more();
  return place;
}

/** A name and its value in a row. */
export function fact(name, value, kind = "") {
  return h("div", { class: `fact ${kind}` }, h("dt", {}, name), h("dd", {}, value));
}

/** The head of a view that was come to from another. */
export function heading(title, backTo = null) {
  return h("div", { class: "heading" },
    backTo && h("a", { class: "round", href: backTo, "aria-label": t("back") }, icon("back")),
    h("h1", { tabindex: "-1" }, title));
}
