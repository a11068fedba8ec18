// Scan: by camera, typed or pasted; and what leads here from a printed code.
import { RESOLVE_SCAN } from "../documents.js";
import { demand } from "../api.js";
import { field, heading, note, signInCall, skeleton, troubleBox } from "../parts.js";
import { fill, h } from "../dom.js";
import { go } from "../router.js";
import { hasCamera, readCode } from "../camera.js";
import { icon } from "../icons.js";
import { isSignedIn } from "../account.js";
import { offer } from "./offer.js";
import { t } from "../i18n.js";

/** The view; with `?code=` it goes straight on to what was scanned. */
export function scanView({ query, signal }) {
  const code = query.get("code");
  if (!code) return h("div", { class: "page narrow" }, entry(signal));
  if (!isSignedIn()) return h("div", { class: "page narrow" }, heading(t("scan"), "#/scan"), signInCall(t("sign_in_to_scan")), note(t("code_kept"), "centred"));
  const place = h("div", { class: "stack" });
  resolve(code, place, signal);
  return h("div", { class: "page narrow" }, heading(t("scan"), "#/scan"), place);
}

async function resolve(code, place, signal, told = null) {
  fill(place, skeleton(5));
  try {
    const { result, now } = await demand(RESOLVE_SCAN, { code }, { signal });
    if (signal.aborted) return;
    fill(place, told && note(told, "warn"), offer(result, now, signal, (why) => resolve(code, place, signal, why)));
  } catch (trouble) {
    if (signal.aborted) return;
    fill(place, trouble.isUndecided ? retry(trouble, () => resolve(code, place, signal)) : refusal(trouble));
  }
}

function retry(trouble, again) {
  return [troubleBox(trouble), h("button", { type: "button", class: "button primary wide", on: { click: again } }, t("again"))];
}

function refusal(trouble) {
  if (trouble.code === "unauthenticated" || trouble.code === "token_invalid") return signInCall(t("need_sign_in"));
  return [troubleBox(trouble), h("a", { class: "button primary wide", href: "#/scan" }, icon("scan", 20), t("scan_again"))];
}

function entry(signal) {
  const typed = field(t("code"), { autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "go", name: "code" }, { hint: t("code_hint") });
  const on = (text) => { if (text.trim()) go(`#/scan?code=${encodeURIComponent(text.trim())}`); else typed.input.focus(); };
  return [
    heading(t("scan")),
    h("p", { class: "muted" }, t("scan_hint")),
    finder(signal, on),
    h("form", { class: "card stack", on: { submit: (event) => { event.preventDefault(); on(typed.input.value); } } },
      typed.node, h("button", { class: "button primary wide", type: "submit" }, t("read_code"))),
  ];
}

/** The camera's picture in a frame, once it is wanted. */
function finder(signal, onCode) {
  if (!hasCamera()) return null;
  const video = h("video", { playsinline: true, muted: true, "aria-label": t("camera_view"), hidden: true });
  const words = h("p", { class: "finder-words", role: "status" });
  const button = h("button", { type: "button", class: "button", on: { click: toggle } });
  const box = h("div", { class: "finder" }, video, h("span", { class: "finder-frame", "aria-hidden": "true" }, icon("scan", 44)), h("div", { class: "finder-foot" }, words, button));
  let looking = null;
  const labelled = () => fill(button, icon("camera", 20), t(looking ? "close_camera" : "open_camera"));
  labelled();
  signal.addEventListener("abort", () => looking?.abort());

  async function toggle() {
    if (looking) { looking.abort(); return; }
    looking = new AbortController();
    labelled();
    fill(words, t("camera_starting"));
    video.addEventListener("playing", () => { video.hidden = false; box.classList.add("on"); fill(words); }, { once: true });
    const text = await readCode(video, looking.signal).catch(() => undefined);
    looking = null;
    video.hidden = true;
    box.classList.remove("on");
    labelled();
    fill(words, text === undefined && t("camera_off"));
    if (text) onCode(text);
  }
  return box;
}
