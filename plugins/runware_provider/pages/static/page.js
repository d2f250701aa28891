// What a page does beyond being read: it follows Airflow's light or dark, shows times as local ones, copies commands,
// leads out of Airflow's frame, and renews itself while its job runs. Without this script everything can still be read.
"use strict";

const LONGEST_S = 300;
const PATIENCE_MS = 20_000;
const root = document.documentElement;
const airflow = outerRoot();
let shown = "";
let failures = 0;
let renewedAt = new Date();

followTheme();
document.addEventListener("DOMContentLoaded", () => {
  shown = main().innerHTML;
  showLocalTimes(main());
  renewLater();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  const link = event.target.closest("a[target=_top]");
  if (button) copyBeside(button);
  if (link && airflow && !(event.ctrlKey || event.metaKey || event.shiftKey)) leadOut(event, link);
});

function main() {
  return document.querySelector("main");
}

/** The document around ours; null where there is none, or where it is a stranger's. */
function outerRoot() {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null;
  }
}

function followTheme() {
  if (!airflow) return;
  const follow = () => {
    root.dataset.theme = ["dark", "light"].find((theme) => airflow.classList.contains(theme)) ?? "";
  };
  follow();
  new MutationObserver(follow).observe(airflow, { attributes: true, attributeFilter: ["class"] });
}

function showLocalTimes(where) {
  for (const place of where.querySelectorAll("time[datetime]")) {
    const moment = new Date(place.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    place.title = place.textContent;
    place.textContent = localTime(moment);
  }
}

/** Without the day if it is today, without the year if it is this one. */
function localTime(moment) {
  const now = new Date();
  const year = moment.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  const day = moment.toDateString() === now.toDateString() ? {} : { day: "numeric", month: "short", ...year };
  return moment.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit" });
}

async function copyBeside(button) {
  const text = button.parentElement.querySelector("pre");
  const words = (button.dataset.words ??= button.textContent);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    // Without https, or without the right to it: the reader's own keys copy what is selected.
    window.getSelection().selectAllChildren(text);
    button.textContent = "Selected: now press Ctrl+C";
  }
  setTimeout(() => { button.textContent = words; }, 3000);
}

/** Airflow's frame lets nothing in it open a page in the whole window; a link of the outer document may. */
function leadOut(event, link) {
  event.preventDefault();
  const outer = airflow.ownerDocument.createElement("a");
  outer.href = link.href;
  airflow.append(outer);
  outer.click();
  outer.remove();
}

function renewLater() {
  const seconds = Number(main().dataset.renew);
  // A job that is over says no number.
  if (seconds > 0) setTimeout(whenSeen, 1000 * Math.min(LONGEST_S, seconds * 2 ** failures));
}

function whenSeen() {
  if (document.hidden) document.addEventListener("visibilitychange", whenSeen, { once: true });
  else renew();
}

async function renew() {
  try {
    replaceMain(await fetchedMain());
    failures = 0;
    renewedAt = new Date();
    tell("");
  } catch {
    failures += 1;
    tell(`Not renewed since ${localTime(renewedAt)}`);
  }
  renewLater();
}

async function fetchedMain() {
  const reply = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  const fresh = page.querySelector("main[data-page]");
  // A page of an error, or of a login, is none of ours.
  if (!reply.ok || !fresh) throw new Error(`no page: ${reply.status}`);
  return fresh;
}

function replaceMain(fresh) {
  main().dataset.renew = fresh.dataset.renew ?? "";
  // What is selected would be lost.
  if (fresh.innerHTML === shown || !window.getSelection().isCollapsed) return;
  shown = fresh.innerHTML;
  showLocalTimes(fresh);
  const open = new Set([...main().querySelectorAll("details[open][data-key]")].map((fold) => fold.dataset.key));
  for (const fold of fresh.querySelectorAll("details[data-key]")) fold.open = open.has(fold.dataset.key);
  const boxes = [...main().querySelectorAll(".scroll, pre")].map((box) => [box.scrollLeft, box.scrollTop]);
  const [left, top, focused] = [window.scrollX, window.scrollY, placeOf(document.activeElement)];
  main().replaceChildren(...fresh.childNodes);
  main().querySelectorAll(".scroll, pre").forEach((box, place) => box.scrollTo(...(boxes[place] ?? [0, 0])));
  window.scrollTo(left, top);
  if (focused) main().querySelectorAll(focused.like)[focused.place]?.focus({ preventScroll: true });
}

/** Where the element with the focus stands among its like, to be found again in the next page. */
function placeOf(element) {
  if (!main().contains(element)) return null;
  const href = element.getAttribute("href");
  const like = href ? `a[href="${CSS.escape(href)}"]` : element.localName;
  return { like, place: [...main().querySelectorAll(like)].indexOf(element) };
}

function tell(words) {
  document.querySelector("[role=status]").textContent = words;
}
