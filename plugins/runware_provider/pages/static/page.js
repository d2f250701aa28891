// What a page does beyond being read: it follows Airflow's light or dark, shows times as local ones, copies commands,
// leads out of Airflow's frame, and renews itself while its job runs. Without this script everything can still be read.
"use strict";

const FIRST_S = 1;
const LONGEST_S = 300;
const PATIENCE_MS = 20_000;

const root = document.documentElement;
const airflow = outerRoot();

followTheme();
document.addEventListener("DOMContentLoaded", () => {
  showLocalTimes(document);
  renewLater();
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copyBeside(button);
  const link = event.target.closest("a[target=_top]");
  if (link && airflow && isPlain(event)) leadOut(event, link);
});

/** The document around ours; null where there is none, or where it is a stranger's. */
function outerRoot() {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null;
  }
}

// --- light and dark ---

function followTheme() {
  if (!airflow) return;
  const follow = () => {
    const chosen = ["dark", "light"].find((theme) => airflow.classList.contains(theme));
    if (chosen) root.dataset.theme = chosen;
    else delete root.dataset.theme;
  };
  follow();
  new MutationObserver(follow).observe(airflow, { attributes: true, attributeFilter: ["class"] });
}

// --- times ---

function showLocalTimes(where) {
  for (const place of where.querySelectorAll("time[datetime]")) {
    const moment = new Date(place.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    place.title = place.textContent;
    place.textContent = localTime(moment);
  }
}

function localTime(moment) {
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: "numeric", month: "short", year: sameYear(moment) ? undefined : "numeric" };
  return moment.toLocaleString(undefined, { ...day, hour: "2-digit", minute: "2-digit" });
}

function sameYear(moment) {
  return moment.getFullYear() === new Date().getFullYear();
}

// --- copying ---

async function copyBeside(button) {
  const text = button.parentElement.querySelector("pre");
  try {
    await navigator.clipboard.writeText(text.textContent);
    say(button, "Copied");
  } catch {
    // Without https, or without the right to it: the reader's own keys copy what is selected.
    window.getSelection().selectAllChildren(text);
    say(button, "Selected: press Ctrl+C");
  }
}

function say(button, words) {
  button.dataset.words ??= button.textContent;
  button.textContent = words;
  setTimeout(() => { button.textContent = button.dataset.words; }, 2500);
}

// --- out of the frame ---

/** Airflow's frame lets nothing in it open a page in the whole window; a link of the outer document may. */
function leadOut(event, link) {
  event.preventDefault();
  const outer = airflow.ownerDocument.createElement("a");
  outer.href = link.href;
  airflow.append(outer);
  outer.click();
  outer.remove();
}

function isPlain(event) {
  return !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

// --- renewal ---

let failures = 0;
let shown = null;
let renewedAt = new Date();

function renewLater() {
  const seconds = Number(document.querySelector("main").dataset.renew);
  // A job that is over says no number.
  if (!seconds) return;
  const wait = Math.min(LONGEST_S, Math.max(FIRST_S, seconds) * 2 ** failures);
  setTimeout(whenSeen, 1000 * wait);
}

function whenSeen() {
  if (!document.hidden) return renew();
  document.addEventListener("visibilitychange", whenSeen, { once: true });
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
  const main = page.querySelector("main[data-page]");
  // A page of an error, or of a login, is none of ours.
  if (!reply.ok || !main) throw new Error(`no page: ${reply.status}`);
  return main;
}

function replaceMain(fresh) {
  const main = document.querySelector("main");
  main.dataset.renew = fresh.dataset.renew ?? "";
  // What is selected would be lost, and so would the place of who reads with a screen reader.
  if (fresh.innerHTML === shown || !window.getSelection().isCollapsed) return;
  shown = fresh.innerHTML;
  const open = new Set([...main.querySelectorAll("details[open][data-key]")].map((fold) => fold.dataset.key));
  const focus = main.contains(document.activeElement) ? pathOf(document.activeElement, main) : null;
  const places = [...main.querySelectorAll(".scroll, pre")].map((box) => [box.scrollLeft, box.scrollTop]);
  const top = window.scrollY;
  for (const fold of fresh.querySelectorAll("details[data-key]")) fold.open = open.has(fold.dataset.key);
  showLocalTimes(fresh);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(".scroll, pre").forEach((box, place) => box.scrollTo(...(places[place] ?? [0, 0])));
  window.scrollTo(window.scrollX, top);
  if (focus) main.querySelector(focus)?.focus({ preventScroll: true });
}

/** Where an element stands in the page, for its like in the next one. */
function pathOf(element, main) {
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  const fold = element.closest("details[data-key]");
  if (fold && element.matches("summary")) return `details[data-key="${CSS.escape(fold.dataset.key)}"] > summary`;
  const place = [...main.querySelectorAll(element.localName)].indexOf(element);
  return place === 0 ? element.localName : null;
}

function tell(words) {
  const told = document.querySelector("[role=status]");
  if (told.textContent !== words) told.textContent = words;
}
