/** Elements, and what is said to those who do not see them. No markup is ever read from text. */

/**
 * Make an element: `h("button.primary", {type: "button", onclick: go}, "Make")`.
 *
 * A function is a listener, `true` an empty attribute; `false`, `null` and `undefined` are left out,
 * in the children too.
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

/** The children that are there, lists laid flat. */
export const present = (children) =>
  children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false);

/** An element of SVG. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** An icon of `icons.svg`, which screen readers pass over. */
export const icon = (name) =>
  s("svg", { class: "icon", "aria-hidden": "true" }, s("use", { href: `icons.svg#${name}` }));

/** A button with an icon; `quiet` shows its words only to screen readers, and as a tooltip. */
export function button(words, name, onclick, { kind = "", quiet = false, ...rest } = {}) {
  const told = quiet ? { "aria-label": words, title: words } : {};
  return h(
    `button${kind && `.${kind}`}${quiet ? ".round" : ""}`,
    { type: "button", onclick, ...told, ...rest },
    name && icon(name),
    !quiet && h("span", {}, words),
  );
}

/** Have a button do nothing for a while: it keeps the focus, which a disabled one would lose. */
export function hold(held, on) {
  if (on) held.setAttribute("aria-disabled", "true");
  else held.removeAttribute("aria-disabled");
}

/** Whether a button does nothing now. */
export const holds = (held) => held.hasAttribute("aria-disabled");

const PATIENCE_MS = 4000;

/** A button that is pressed twice before anything is lost. */
export function careful(words, question, onsure, options = {}) {
  let sure = 0;
  const calm = () => {
    sure = 0;
    made.classList.remove("danger");
    name(words);
  };
  const name = (now) => {
    if (options.quiet) {
      made.setAttribute("aria-label", now);
      made.title = now;
    } else made.querySelector("span").textContent = now;
  };
  const made = button(
    words,
    "delete",
    () => {
      if (sure) {
        clearTimeout(sure);
        calm();
        onsure();
        return;
      }
      made.classList.add("danger");
      name(question);
      say(`${question} Press again.`);
      sure = setTimeout(calm, PATIENCE_MS);
    },
    options,
  );
  return made;
}

/** A link that downloads. */
export function download(words, href, { quiet = false, kind = "", name = "" } = {}) {
  const told = quiet ? { "aria-label": words, title: words } : {};
  return h(
    `a.button${kind && `.${kind}`}${quiet ? ".round" : ""}`,
    { href, download: name || true, ...told },
    icon("download"),
    !quiet && h("span", {}, words),
  );
}

/** Say something in the live region. */
export function say(words) {
  const status = document.getElementById("status");
  status.textContent = "";
  setTimeout(() => {
    status.textContent = words;
  }, 50);
}

/** Show an error where it belongs: what is wrong, and what to do. */
export function tell(place, error) {
  if (error?.name === "AbortError") return;
  if (!error?.detail) console.warn(error);
  place.replaceChildren(
    h(
      "div.problem",
      { role: "alert" },
      icon("warn"),
      h(
        "div",
        {},
        h("strong", {}, capital(error.detail || String(error))),
        error.hint && h("p", {}, capital(error.hint)),
      ),
      button("Dismiss", "close", () => place.replaceChildren(), { quiet: true }),
    ),
  );
}

/** Begin with a capital letter, but for names of files and models. */
export const capital = (words) =>
  /^(a|[a-z]{2,})[,.:;]?( |$)/.test(words) ? words.charAt(0).toUpperCase() + words.slice(1) : words;

/** What fills a place where nothing is yet, and says what to do. */
export const empty = (name, title, words, ...actions) =>
  h("div.empty", {}, icon(name), h("h2", {}, title), h("p", {}, words), actions);

/** A view: made when it is first opened, and kept. */
export class View extends HTMLElement {
  #made = false;

  connectedCallback() {
    if (this.#made) return;
    this.#made = true;
    this.build();
  }

  /** The head of a view. */
  head(title, words, ...actions) {
    return h(
      "header.head",
      {},
      h("div", {}, h("h1", { tabindex: "-1" }, title), h("p", {}, words)),
      h("div.actions", {}, actions),
    );
  }

  entered() {}

  left() {}
}
