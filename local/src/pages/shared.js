// Shared by the local stack's pages. Data reaches the page as text nodes only.

/** An element with properties, `data` attributes, `aria` attributes, and children (nodes or strings). */
export function element(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  Object.assign(made.dataset, data);
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export const byId = (id) => document.getElementById(id);

export async function getJson(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, cache: "no-store" });
  if (!answer.ok) throw new Error(`${path} responded with ${answer.status}`);
  return answer.json();
}

/**
 * Runs `task` now, and again `pause` ms after each run ends, while the page is visible. The `.live` mark in the bar shows
 * whether the last run succeeded.
 */
export function keepRunning(task, pause) {
  const mark = document.querySelector(".live");
  let timer = 0;
  let running = false;
  async function run() {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    let works = true;
    try {
      await task();
    } catch {
      works = false;
    }
    running = false;
    if (mark) {
      mark.textContent = works ? "live" : "no response; is the stack still running?";
      mark.classList.toggle("lost", !works);
    }
    timer = setTimeout(run, pause);
  }
  document.addEventListener("visibilitychange", run);
  return run();
}

/** Names the product in the bar and the title, and returns what is running. */
export async function introduce() {
  const about = await getJson("/_local/about");
  document.title = `${document.title} · ${about.product}`;
  for (const place of document.querySelectorAll("[data-product]")) place.textContent = about.product;
  return about;
}

/** The time of day, with the date when it is not today. */
export function timeOf(timestamp, { milliseconds = false } = {}) {
  const moment = new Date(timestamp);
  if (Number.isNaN(moment.getTime())) return String(timestamp ?? "");
  const time = moment.toLocaleTimeString("en-GB", milliseconds ? { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 } : {});
  const today = moment.toDateString() === new Date().toDateString();
  return today ? time : `${moment.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

/** Formatted JSON with secrets truncated; tokens also keep their end, because signed tokens start alike. */
export function readable(value) {
  return JSON.stringify(value, (key, inner) => (typeof inner === "string" ? shortened(key, inner) : inner), 2);
}

/** `text` as it may be shown under the name `key`. */
export function shortened(key, text) {
  if (/password/i.test(key)) return "•".repeat(8);
  if (/url$/i.test(key)) return text.replace(/\?.*/s, "?…");
  if (/token$|authorization/i.test(key) && text.length > 24) return `${text.slice(0, 14)}…${text.slice(-6)}`;
  return text;
}
