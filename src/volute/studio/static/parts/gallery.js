/** The gallery of styles: one, or a mix of several, and one's own. */

import { get, remove, send } from "../lib/api.js";
import { careful, h, say, tell } from "../lib/dom.js";
import { slider, toggle } from "../lib/fields.js";
import "./drop.js";

const MOST = 4;

/** `<volute-gallery>`; fires `change`; `.styles` is what the API takes. */
export class Gallery extends HTMLElement {
  #weights = new Map();

  connectedCallback() {
    if (this.list) return;
    this.list = h("ul.gallery", { "aria-label": "Styles" });
    this.mix = toggle({
      label: "Mix several",
      hint: `Up to ${MOST}, each with its own weight.`,
      onchange: (on) => {
        if (!on) this.#only([...this.#weights.keys()].at(-1));
      },
    });
    this.shares = h("div.shares", {});
    this.trouble = h("div", {});
    this.append(h("h2", {}, "Styles"), this.trouble, this.list, this.mix, this.shares);
  }

  /** Show the styles of a model. */
  async open(model) {
    this.model = model;
    try {
      this.found = await get(`/styles?model=${encodeURIComponent(model.name)}`);
    } catch (error) {
      tell(this.trouble, error);
      return;
    }
    const names = this.found.map(({ name }) => name);
    for (const name of this.#weights.keys()) if (!names.includes(name)) this.#weights.delete(name);
    if (!this.#weights.size && names.length)
      this.#weights.set(names.includes("wave") ? "wave" : names[0], 1);
    this.#fill();
  }

  get styles() {
    return [...this.#weights].map(([name, weight]) => ({ name, weight }));
  }

  /** Words for what is chosen. */
  get words() {
    return [...this.#weights.keys()].join(" + ");
  }

  #fill() {
    const own =
      this.model.own_styles && h("volute-drop.small", { label: "Your own", accept: "image/*" });
    if (own) own.addEventListener("files", ({ detail }) => this.#bring(detail[0]));
    this.list.replaceChildren(
      ...this.found.map((style) => this.#tile(style)),
      ...(own ? [h("li", {}, own)] : []),
    );
    this.#mark();
  }

  #tile({ name, own, thumbnail }) {
    const press = h(
      "button.pick",
      { type: "button", "aria-label": name, "data-name": name, onclick: () => this.#pressed(name) },
      h("img", { src: thumbnail, alt: "", width: 78, height: 78 }),
    );
    return h(
      "li",
      {},
      press,
      h("span", { "aria-hidden": "true" }, name),
      own &&
        careful(`Delete the style ${name}`, `Delete ${name} for good?`, () => this.#drop(name), {
          quiet: true,
        }),
    );
  }

  #pressed(name) {
    if (!this.mix.value) {
      this.#only(name);
      return;
    }
    if (this.#weights.has(name) && this.#weights.size > 1) this.#weights.delete(name);
    else if (this.#weights.size < MOST) this.#weights.set(name, 0.5);
    else say(`No more than ${MOST} can be mixed`);
    this.#changed();
  }

  #only(name) {
    this.#weights = new Map([[name, 1]]);
    this.#changed();
  }

  #changed() {
    this.#mark();
    this.dispatchEvent(new Event("change"));
  }

  #mark() {
    for (const press of this.list.querySelectorAll(".pick"))
      press.setAttribute("aria-pressed", String(this.#weights.has(press.dataset.name)));
    const mixed = this.#weights.size > 1;
    this.shares.replaceChildren(
      ...(mixed
        ? [...this.#weights].map(([name, weight]) =>
            slider({
              label: name,
              min: 0.05,
              max: 1,
              step: 0.05,
              value: weight,
              shown: (value) => value.toFixed(2),
              onmove: (value) => {
                this.#weights.set(name, value);
                this.dispatchEvent(new Event("change"));
              },
            }),
          )
        : []),
    );
  }

  async #bring(file) {
    try {
      const { name } = await send(`/styles?name=${encodeURIComponent(file.name)}`, file);
      this.#weights = new Map([[name, 1]]);
      await this.open(this.model);
      this.dispatchEvent(new Event("change"));
      say(`${name} is added and chosen`);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async #drop(name) {
    try {
      await remove(`/styles/${encodeURIComponent(name)}`);
      await this.open(this.model);
      this.dispatchEvent(new Event("change"));
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

customElements.define("volute-gallery", Gallery);
