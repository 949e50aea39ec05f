/** One picture, moved along what the pictures of its model differ by most. */

import { get, post } from "../lib/api.js";
import { button, h, say, tell } from "../lib/dom.js";
import { select, slider } from "../lib/fields.js";
import { paint, Redrawer } from "../lib/redraw.js";
import { bar } from "../lib/tray.js";
import { percent } from "../lib/words.js";
import { makeAgain } from "./recent.js";

const FIRST = 6;

/** `<volute-explorer>`; fires `kept` with a `Result`, `blend` and `close`. */
export class Explorer extends HTMLElement {
  #directions = new Map();

  connectedCallback() {
    if (this.canvas) return;
    this.canvas = h("canvas", { role: "img", width: 64, height: 64 });
    this.caption = h("p.soft", {});
    this.trouble = h("div", {});
    this.places = h("div.directions", {});
    this.titled = h("h2", { tabindex: "-1" }, "Explore");
    this.again = button("Make again", "again", () => this.#again());
    this.drawer = new Redrawer(
      (bitmap, ms) => this.#shown(bitmap, ms),
      (error) => tell(this.trouble, error),
    );
    this.append(
      h(
        "header",
        {},
        this.titled,
        button("Close", "close", () => this.#fire("close"), { quiet: true }),
      ),
      this.trouble,
      h(
        "div.split",
        {},
        h("figure", {}, this.canvas, h("figcaption", {}, this.caption)),
        this.places,
      ),
      h(
        "div.actions",
        {},
        button("Keep and download", "download", () => this.#keep(true), { kind: "primary" }),
        button("Keep", "check", () => this.#keep(false)),
        button("Blend with another", "blend", () => this.#fire("blend", this.point)),
        this.again,
        button("Back to the sample", "back", () => this.#reset()),
      ),
    );
  }

  /** Show a place: `model` is a `ModelInfo`, `point` as in the API, `result` what was made there, if it was. */
  async open(model, point, result = null) {
    this.model = model;
    this.start = point;
    this.result = result;
    this.point = { ...point, sliders: [...(point.sliders ?? [])] };
    this.trouble.replaceChildren();
    this.again.hidden = !result;
    this.titled.textContent = `Explore ${model.name}, seed ${point.seed ?? 0}, picture ${(point.index ?? 0) + 1}`;
    this.#draw();
    this.titled.focus();
    this.scrollIntoView({ block: "nearest" });
    await this.#sliders();
  }

  async #sliders() {
    const { name, classes } = this.model;
    this.places.replaceChildren(
      h("p.soft", {}, "Finding what its pictures differ by most…"),
      bar(0, "Finding directions"),
    );
    try {
      if (!this.#directions.has(name))
        this.#directions.set(name, await get(`/models/${encodeURIComponent(name)}/directions`));
    } catch (error) {
      this.places.replaceChildren();
      tell(this.trouble, error);
      return;
    }
    if (name !== this.model.name) return;
    const { shares, reach } = this.#directions.get(name);
    const sliders = shares.map((share, index) =>
      slider({
        label: `Direction ${index + 1}`,
        min: -reach,
        max: reach,
        step: 0.05,
        value: this.point.sliders[index] ?? 0,
        shown: (value) =>
          `${value > 0 ? "+" : ""}${value.toFixed(1)} · ${percent(share)} of the variety`,
        onmove: (value) => {
          this.#move(index, value);
        },
      }),
    );
    const kind =
      classes.length > 0 &&
      select({
        label: "Class",
        options: classes.map((one) => [one, one]),
        value: this.point.label || classes[0],
        onchange: (label) => {
          this.point.label = label;
          this.#draw();
        },
      });
    this.places.replaceChildren(
      ...[kind].filter(Boolean),
      ...sliders.slice(0, FIRST),
      ...(sliders.length > FIRST
        ? [h("details", {}, h("summary", {}, "Finer directions"), sliders.slice(FIRST))]
        : []),
    );
  }

  #move(index, value) {
    while (this.point.sliders.length <= index) this.point.sliders.push(0);
    this.point.sliders[index] = value;
    this.#draw();
  }

  #draw() {
    this.drawer.ask({ model: this.model.name, point: this.point });
  }

  #shown(bitmap, ms) {
    paint(this.canvas, bitmap);
    this.dataset.ms = Math.round(ms);
    const label = this.point.label ? `, ${this.point.label}` : "";
    this.canvas.setAttribute("aria-label", `Picture of ${this.model.name}${label}`);
    this.caption.textContent = `${bitmap.width} × ${bitmap.height} px${label} · drawn in ${Math.round(ms)} ms`;
  }

  async #keep(toDisk) {
    try {
      const kept = await post("/keep", { model: this.model.name, point: this.point });
      this.#fire("kept", kept);
      if (toDisk) h("a", { href: `${kept.file}?download=true`, download: kept.name }).click();
      say(`Kept as ${kept.name}`);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async #again() {
    try {
      this.#fire("kept", await makeAgain(this.result));
      say("Made again, from its record");
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  #reset() {
    this.point = { ...this.start, sliders: [] };
    this.#draw();
    this.#sliders();
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("volute-explorer", Explorer);
