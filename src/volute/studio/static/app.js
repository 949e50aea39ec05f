/** The frame of the page: which view is open, the theme, what is at work. */

import { h, icon, say } from "./lib/dom.js";
import { jobs } from "./lib/jobs.js";
import { tray } from "./lib/tray.js";

const VIEWS = ["create", "style", "enlarge", "write", "train", "verify", "models"];
const THEMES = ["auto", "light", "dark"];
const main = document.getElementById("main");
const opened = new Map();
let now = null;

function addNavigation() {
  document
    .getElementById("nav")
    .append(
      ...VIEWS.map((name) =>
        h(
          "a",
          { href: `#/${name}`, "data-view": name },
          icon(name),
          h("span", {}, name[0].toUpperCase() + name.slice(1)),
        ),
      ),
    );
}

/** Open the view that the address names; the first time it is loaded. */
async function route() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const [path, query] = location.hash.slice(2).split("?");
  const name = VIEWS.includes(path) ? path : "create";
  const first = !opened.size;
  if (!opened.has(name)) opened.set(name, load(name));
  const view = await opened.get(name);
  if (now !== view) show(view, name, first);
  view.entered?.(Object.fromEntries(new URLSearchParams(query)));
}

async function load(name) {
  try {
    await import(`./views/${name}.js`);
  } catch (error) {
    console.warn(error);
    opened.delete(name);
    return h(
      "section.view",
      {},
      h("h1", { tabindex: "-1" }, "This view could not be loaded"),
      h("p", {}, "Is the studio still running? Start it again with: volute studio"),
    );
  }
  return document.createElement(`volute-${name}`);
}

function show(view, name, first) {
  now?.left?.();
  for (const other of main.children) other.hidden = other !== view;
  view.classList.add("view");
  if (!view.isConnected) main.append(view);
  view.hidden = false;
  now = view;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = view.querySelector("h1");
  document.title = `${title?.textContent ?? name} · volute studio`;
  if (!first) {
    title?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

function theme() {
  const word = document.getElementById("theme-text");
  const set = (value) => {
    document.documentElement.dataset.theme = value;
    word.textContent = { auto: "Theme: system", light: "Theme: light", dark: "Theme: dark" }[value];
  };
  set(localStorage.getItem("theme") ?? "auto");
  document.getElementById("theme").addEventListener("click", () => {
    const next =
      THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length];
    localStorage.setItem("theme", next);
    set(next);
    say(word.textContent);
  });
}

/** Say so if the studio has gone, and when it is back. */
function presence() {
  const place = document.getElementById("away");
  let soon = 0;
  jobs.addEventListener("presence", () => {
    clearTimeout(soon);
    if (jobs.here) {
      place.hidden = true;
      return;
    }
    soon = setTimeout(() => {
      place.hidden = false;
      place.replaceChildren(
        h("strong", {}, "The studio does not answer. "),
        "What you made is safe. Start it again with volute studio: this page goes on by itself.",
      );
    }, 1500);
  });
}

addNavigation();
theme();
presence();
tray(jobs);
jobs.open();
window.addEventListener("hashchange", route);
route();
