/** A grid of pictures that fills as they come: pressed one is chosen, dragged onto another they are paired. */

import { h, icon } from "../lib/dom.js";

/** `<volute-cells>`; fires `press` with a `result` and its `button`, and `pair` with two `Result`s. */
export class Cells extends HTMLElement {
  #dragged = null;

  connectedCallback() {
    if (this.list) return;
    this.list = h("ul.grid", { "aria-label": "Pictures" });
    this.append(this.list);
  }

  get empty() {
    return !this.list.children.length;
  }

  /** Show some pictures. */
  fill(results) {
    this.list.replaceChildren(...results.map((one) => this.#cell(one)));
  }

  /** Make room for pictures that will come. */
  wait(count) {
    this.list.replaceChildren(...Array.from({ length: count }, () => h("li.cell.waiting", {})));
  }

  /** Put one where there is room for it. */
  put(result) {
    this.list.children[result.about.index]?.replaceWith(this.#cell(result));
  }

  /** Give up the room of those that did not come. */
  settle() {
    for (const cell of this.list.querySelectorAll(".waiting")) cell.remove();
  }

  /** Put one before all others. */
  add(result) {
    this.list.prepend(this.#cell(result));
  }

  focus() {
    this.list.querySelector("button")?.focus();
  }

  #cell(result) {
    const { index = 0 } = result.about;
    const label = result.about.class || result.request.point?.label || "";
    const button = h(
      "button",
      {
        type: "button",
        draggable: "true",
        "aria-label": `Picture ${index + 1}${label && `, ${label}`}: explore`,
        onclick: () => this.dispatchEvent(new CustomEvent("press", { detail: { result, button } })),
      },
      h("img", { src: `${result.preview}?side=256`, alt: "", draggable: "false" }),
      label && h("small", {}, label),
    );
    this.#drags(button, result);
    return h(
      "li.cell",
      {},
      button,
      h(
        "a.button.round.corner",
        {
          href: `${result.file}?download=true`,
          download: result.name,
          "aria-label": `Download picture ${index + 1}`,
          title: "Download",
        },
        icon("download"),
      ),
    );
  }

  #drags(button, result) {
    button.addEventListener("dragstart", (event) => {
      this.#dragged = result;
      event.dataTransfer.setData("text/plain", result.id);
      event.dataTransfer.effectAllowed = "link";
    });
    button.addEventListener("dragend", () => {
      this.#dragged = null;
    });
    button.addEventListener("dragover", (event) => {
      if (!this.#pairs(result)) return;
      event.preventDefault();
      button.classList.add("over");
    });
    button.addEventListener("dragleave", () => button.classList.remove("over"));
    button.addEventListener("drop", (event) => {
      event.preventDefault();
      button.classList.remove("over");
      if (this.#pairs(result))
        this.dispatchEvent(new CustomEvent("pair", { detail: [this.#dragged, result] }));
    });
  }

  /** Only pictures of one model can be blended. */
  #pairs(result) {
    const other = this.#dragged;
    return other && other.id !== result.id && other.model === result.model && result.request.point;
  }
}

customElements.define("volute-cells", Cells);
