// The banner of a charge that runs while the driver looks at something else.
import { account, isSignedIn } from "./account.js";
import { fill, h, pause } from "./dom.js";
import { findRunning } from "./charges.js";
import { icon } from "./icons.js";
import { kwhRunning, money } from "./format.js";
import { t } from "./i18n.js";

const AGAIN_MS = 20_000;

/** Fills `place` whenever there is such a charge. Gives `look()`: look now, `hide(isHidden)`. */
export function runningBanner(place) {
  let [known, isHidden, asked] = [null, false, 0];

  function draw() {
    fill(place, known && !isHidden && banner(known));
  }
  async function look() {
    const mine = (asked += 1);
    const found = await findRunning().catch(() => known);
    if (mine !== asked) return;
    known = found;
    draw();
  }
  async function keepLooking() {
    for (;;) {
      await pause(AGAIN_MS);
      if (isSignedIn() && !document.hidden && !isHidden) await look();
    }
  }
  account.addEventListener("change", look);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  keepLooking();
  return {
    look,
    draw,
    hide(hidden) {
      isHidden = hidden;
      draw();
      if (!hidden) look();
    },
  };
}

function banner({ id, energy, amount, place }) {
  return h("a", { class: "banner running", href: `#/charge/${encodeURIComponent(id)}` },
    h("span", { class: "pulse", "aria-hidden": "true" }),
    h("span", { class: "banner-words" }, h("strong", {}, t("resume")), h("span", { class: "clip" }, [place?.stationName, `${kwhRunning(energy)} ${t("unit_kwh")}`, money(amount)].filter(Boolean).join(" · "))),
    h("span", { class: "banner-act" }, t("see_it"), icon("next", 16)));
}
