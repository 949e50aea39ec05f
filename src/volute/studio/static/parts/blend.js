/** The way from one picture to another. */

import { post } from "../lib/api.js";
import { button, download, h, hold, holds, say, tell } from "../lib/dom.js";
import { slider } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { paint, Redrawer } from "../lib/redraw.js";
import { bar } from "../lib/tray.js";

/** `<volute-blend>`; fires `kept` with a `Result`, and `close`. */
export class Blend extends HTMLElement {
  connectedCallback() {
    if (this.canvas) return;
    this.canvas = h("canvas", { role: "img", width: 64, height: 64 });
    this.ends = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
    this.trouble = h("div", {});
    this.made = h("div.made", {});
    this.titled = h("h2", { tabindex: "-1" }, "Blend two pictures");
    this.share = slider({
      label: "From the first to the second",
      min: 0,
      max: 1,
      step: 0.01,
      value: 0.5,
      shown: (value) => `${Math.round(value * 100)} %`,
      onmove: () => this.#draw(),
    });
    this.walk = button("Make an animation", "play", () => this.#animate());
    this.drawer = new Redrawer(
      (bitmap) => {
        paint(this.canvas, bitmap);
        this.canvas.setAttribute(
          "aria-label",
          `Blend, ${Math.round(this.share.value * 100)} % of the second picture`,
        );
      },
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
      h("div.blend", {}, this.ends[0], this.canvas, this.ends[1]),
      this.share,
      h(
        "div.actions",
        {},
        button("Keep and download", "download", () => this.#keep(), { kind: "primary" }),
        this.walk,
      ),
      this.made,
    );
  }

  /** Show the way between two points of a model. */
  open(model, point, toward) {
    Object.assign(this, { model, point, toward });
    this.trouble.replaceChildren();
    this.made.replaceChildren();
    [point, toward].forEach((end, index) => {
      const one = new Redrawer(
        (bitmap) => paint(this.ends[index], bitmap),
        (error) => tell(this.trouble, error),
      );
      one.ask({ model: model.name, point: end });
      this.ends[index].setAttribute(
        "aria-label",
        index ? "The second picture" : "The first picture",
      );
    });
    this.share.value = 0.5;
    this.#draw();
    this.titled.focus();
    this.scrollIntoView({ block: "nearest" });
  }

  get #request() {
    return {
      model: this.model.name,
      point: this.point,
      toward: this.toward,
      share: this.share.value,
    };
  }

  #draw() {
    this.drawer.ask(this.#request);
  }

  async #keep() {
    try {
      const kept = await post("/keep", this.#request);
      this.#fire("kept", kept);
      h("a", { href: `${kept.file}?download=true`, download: kept.name }).click();
      say(`Kept as ${kept.name}`);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async #animate() {
    if (holds(this.walk)) return;
    hold(this.walk, true);
    const busy = bar(0, "Making an animation");
    this.made.replaceChildren(busy);
    try {
      await jobs.run(
        "/interpolate",
        { model: this.model.name, points: [this.point, this.toward], steps: 32, form: "webp" },
        { result: (result) => this.#animated(result) },
      );
    } catch (error) {
      busy.remove();
      tell(this.trouble, error);
    }
    hold(this.walk, false);
  }

  #animated(result) {
    this.made.replaceChildren(
      h("img", {
        src: result.file,
        alt: "The animation: from the first picture to the second and back",
      }),
      download("Download the animation", `${result.file}?download=true`, { name: result.name }),
    );
    say("The animation is ready");
  }

  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

customElements.define("volute-blend", Blend);
