/** Two pictures of the same thing, one over the other, parted by a line that moves; both zoom together. */

import { button, h } from "../lib/dom.js";

const MOST = 24;
const CLOSE = 4;
const STEP = 0.15;

/** `<volute-compare>`: wheel or pinch zooms, dragging moves, the line and the arrow keys part them. */
export class Compare extends HTMLElement {
  #view = { x: 0, y: 0, k: 1 };
  #pointers = new Map();

  connectedCallback() {
    if (this.port) return;
    this.panes = ["before", "after", "map"].map((name) => h(`div.pane.${name}`, {}));
    this.range = h("input.hidden", {
      type: "range",
      min: 0,
      max: 100,
      value: 50,
      "aria-label": "Line between before and after",
    });
    this.divider = h("div.divider", { "aria-hidden": "true" });
    this.tags = [h("span.tag.left", {}, "Before"), h("span.tag.right", {}, "After")];
    const zoom = h(
      "div.zoom",
      {},
      button("Zoom out", "minus", () => this.#zoom(1 / 1.6), { quiet: true }),
      button("Zoom in", "plus", () => this.#zoom(1.6), { quiet: true }),
      button("Show all", "fit", () => this.fit(), { quiet: true }),
    );
    this.port = h(
      "div.view-port",
      {
        tabindex: "0",
        role: "group",
        "aria-label": "Picture: plus and minus zoom, arrow keys move",
      },
      this.panes,
      this.divider,
      this.range,
      this.tags,
      zoom,
    );
    this.append(this.port);
    this.range.addEventListener("input", () => this.#part(Number(this.range.value)));
    this.#part(50);
    this.#listen();
  }

  /** Show elements that fill the view: `before`, and `after` and `map` where there are any; `ratio` is width by height. */
  show({ before, after = null, map = null, ratio, names = ["Before", "After"] }) {
    [before, after, map].forEach((element, index) => {
      const pane = this.panes[index];
      pane.hidden = !element;
      if (element && pane.firstChild !== element) pane.replaceChildren(element);
    });
    this.port.style.setProperty("aspect-ratio", String(ratio));
    this.port.style.setProperty("max-width", `${72 * ratio}vh`);
    this.tags.forEach((tag, index) => {
      tag.textContent = names[index];
    });
    for (const one of [this.divider, this.range, ...this.tags]) one.hidden = !after;
  }

  /** Hide or show the map over the second picture. */
  set mapped(shown) {
    this.panes[2].hidden = !shown;
  }

  fit() {
    this.#set(0, 0, 1);
  }

  #part(percent) {
    this.port.style.setProperty("--split", `${percent}%`);
  }

  #listen() {
    const { port } = this;
    port.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#zoom(Math.exp(-event.deltaY / 400), event);
      },
      { passive: false },
    );
    port.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button")) return;
      this.parting = event.target === this.divider;
      this.#pointers.set(event.pointerId, event);
      port.setPointerCapture(event.pointerId);
    });
    port.addEventListener("pointermove", (event) => this.#moved(event));
    for (const name of ["pointerup", "pointercancel"])
      port.addEventListener(name, (event) => this.#pointers.delete(event.pointerId));
    port.addEventListener("keydown", (event) => this.#key(event));
  }

  #moved(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const box = this.port.getBoundingClientRect();
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (this.parting) {
      this.range.value = ((event.clientX - box.left) / box.width) * 100;
      this.#part(Number(this.range.value));
    } else if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      this.#zoom(apart(event) / Math.max(1, apart(before)), {
        clientX: (event.clientX + other.clientX) / 2,
        clientY: (event.clientY + other.clientY) / 2,
      });
    } else {
      this.#set(this.#view.x + dx, this.#view.y + dy, this.#view.k);
    }
    this.#pointers.set(event.pointerId, event);
  }

  #key(event) {
    if (event.target !== this.port) return;
    const box = this.port.getBoundingClientRect();
    const moves = {
      ArrowLeft: [STEP, 0],
      ArrowRight: [-STEP, 0],
      ArrowUp: [0, STEP],
      ArrowDown: [0, -STEP],
    };
    const { x, y, k } = this.#view;
    if (event.key === "+" || event.key === "=") this.#zoom(1.6);
    else if (event.key === "-") this.#zoom(1 / 1.6);
    else if (event.key === "0") this.fit();
    else if (moves[event.key] && k > 1)
      this.#set(x + moves[event.key][0] * box.width, y + moves[event.key][1] * box.height, k);
    else return;
    event.preventDefault();
  }

  /** Zoom by a factor; what is at `at` stays there. */
  #zoom(factor, at = null) {
    const box = this.port.getBoundingClientRect();
    const [px, py] = at
      ? [at.clientX - box.left, at.clientY - box.top]
      : [box.width / 2, box.height / 2];
    const { x, y, k } = this.#view;
    const next = Math.min(MOST, Math.max(1, k * factor));
    this.#set(px - ((px - x) * next) / k, py - ((py - y) * next) / k, next);
  }

  #set(x, y, k) {
    const box = this.port.getBoundingClientRect();
    const within = (value, size) => Math.min(0, Math.max(size - size * k, value));
    this.#view = { x: within(x, box.width), y: within(y, box.height), k };
    this.port.style.setProperty("--x", `${this.#view.x}px`);
    this.port.style.setProperty("--y", `${this.#view.y}px`);
    this.port.style.setProperty("--k", String(k));
    this.port.classList.toggle("close-up", k >= CLOSE);
  }
}

customElements.define("volute-compare", Compare);
