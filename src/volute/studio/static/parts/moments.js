/** What a training made over time, with a slider over its moments. */

import { button, capital, h } from "../lib/dom.js";
import { number } from "../lib/words.js";

const FRAME_MS = 160;

/** `<volute-moments>`: `show(samples, words)` with `Sample`s, the oldest first. */
export class Moments extends HTMLElement {
  #samples = [];
  #url = "";
  #playing = 0;

  connectedCallback() {
    if (this.shown) return;
    this.shown = h("div.sample", {});
    this.moment = h("input", {
      type: "range",
      min: 0,
      max: 0,
      value: 0,
      step: 1,
      "aria-label": "Moment of the training",
    });
    this.when = h("output", {});
    this.looks = h("p.hint.centre", {});
    this.moment.addEventListener("input", () => this.#draw());
    const play = button("Play from the beginning", "play", () => this.#play(), { quiet: true });
    this.scrub = h("div.row", {}, play, this.moment, this.when);
    this.append(this.shown, this.scrub, this.looks);
  }

  disconnectedCallback() {
    this.#stop();
  }

  /** Begin with another training. */
  clear() {
    this.#stop();
    this.#samples = [];
    this.#url = "";
    this.moment.max = this.moment.value = 0;
    this.scrub.hidden = true;
    this.looks.textContent = "";
    this.shown.replaceChildren(h("p.soft", {}, "The first sample comes soon."));
  }

  /** Show the newest, unless an older one is being looked at; `words` say what is seen. */
  show(samples, words) {
    const newest = Number(this.moment.value) >= Number(this.moment.max);
    this.#samples = samples;
    this.scrub.hidden = samples.length < 2;
    this.looks.textContent = samples.length && !samples[0].text ? words : "";
    this.moment.max = Math.max(0, samples.length - 1);
    if (newest && !this.#playing) this.moment.value = this.moment.max;
    this.#draw();
  }

  async #draw() {
    const sample = this.#samples[Number(this.moment.value)];
    this.moment.style.setProperty(
      "--at",
      Number(this.moment.value) / Math.max(1, Number(this.moment.max)),
    );
    if (!sample || this.#url === sample.url) return;
    this.#url = sample.url;
    this.when.textContent = `at ${number(sample.shown)} shown`;
    this.moment.setAttribute("aria-valuetext", this.when.textContent);
    const made = sample.text ? await this.#text(sample.url) : await this.#image(sample.url);
    if (this.#url === sample.url) this.shown.replaceChildren(made);
  }

  async #text(url) {
    const text = await (await fetch(url)).text();
    return h(
      "div.written",
      { tabindex: "0", role: "region", "aria-label": capital(this.when.textContent) },
      text,
    );
  }

  async #image(url) {
    const image = h("img", { src: url, alt: `Samples ${this.when.textContent}` });
    await image.decode().catch(() => {});
    return image;
  }

  #play() {
    this.#stop();
    this.moment.value = 0;
    this.#draw();
    this.#playing = setInterval(() => {
      this.moment.value = Number(this.moment.value) + 1;
      this.#draw();
      if (this.moment.value === this.moment.max) this.#stop();
    }, FRAME_MS);
  }

  #stop() {
    clearInterval(this.#playing);
    this.#playing = 0;
  }
}

customElements.define("volute-moments", Moments);
