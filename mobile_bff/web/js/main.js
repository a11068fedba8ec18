// The page: its frame, its views, and what is said about the connection.
import { account, isSignedIn } from "./account.js";
import { begin, go, reload } from "./router.js";
import { billView } from "./views/bill.js";
import { chargeView } from "./views/charge.js";
import { connection } from "./http.js";
import { fill, h } from "./dom.js";
import { historyView } from "./views/history.js";
import { icon } from "./icons.js";
import { language, onLanguage, switchLanguage, t } from "./i18n.js";
import { meView } from "./views/me.js";
import { reportView, reportsView } from "./views/report.js";
import { runningBanner } from "./running.js";
import { scanView } from "./views/scan.js";
import { signInView } from "./views/signin.js";
import { stationView } from "./views/station.js";
import { stationsView } from "./views/stations.js";
import { toast } from "./parts.js";

const VIEWS = [
  [/^\/?$/, "stations", stationsView],
  [/^\/stations$/, "stations", stationsView],
  [/^\/station\/(.+)$/, "stations", stationView],
  [/^\/scan$/, "scan", scanView],
  [/^\/charge\/(.+)$/, "charges", chargeView],
  [/^\/charges$/, "charges", historyView],
  [/^\/bill\/(.+)$/, "charges", billView],
  [/^\/me$/, "me", meView],
  [/^\/signin$/, "me", signInView],
  [/^\/report$/, "me", reportView],
  [/^\/reports$/, "me", reportsView],
];
const TABS = [["stations", "map"], ["scan", "scan"], ["charges", "bolt"], ["me", "person"]];

const offlineLine = h("div", { class: "banner offline", role: "alert", hidden: true });
const runningPlace = h("div", {});
const running = runningBanner(runningPlace);

function frame(tab) {
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = `${t(`tab_${tab || "stations"}`)} · ${t("brand")}`;
  fill(document.getElementById("top"),
    h("a", { class: "brand", href: "#/stations" }, h("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), h("span", {}, t("brand"))),
    h("button", { type: "button", class: "chip", "aria-label": t("switch_language_label"), lang: language() === "zh" ? "en" : "zh-CN", on: { click: switchLanguage } }, t("switch_language")));
  const tabs = document.getElementById("tabs");
  tabs.setAttribute("aria-label", t("main_menu"));
  fill(tabs, TABS.map(([name, drawing]) => h("a", { href: `#/${name}`, class: name === "scan" && "scan-tab", "aria-current": name === tab && "page" }, icon(drawing, 24), h("span", {}, t(`tab_${name}`)))));
}

function connected() {
  offlineLine.hidden = !connection.isLost;
  fill(offlineLine, icon("wifi", 18), h("span", {}, h("strong", {}, t("offline")), h("span", {}, t("offline_long"))));
}

fill(document.getElementById("notices"), offlineLine, runningPlace);
connection.addEventListener("lost", connected);
connection.addEventListener("back", () => { connected(); toast(t("back_online")); running.look(); });
onLanguage(() => { connected(); running.draw(); });
account.addEventListener("change", ({ detail: why }) => {
  if (why === "signed_in") return;
  toast(t(why));
  if (why === "signed_out") go("#/me", { isInstead: true });
  else if (!location.hash.startsWith("#/signin")) reload();
});

begin(VIEWS, (tab, path) => {
  frame(tab);
  document.body.dataset.tab = tab;
  running.hide(path.startsWith("/charge/") || !isSignedIn());
});
