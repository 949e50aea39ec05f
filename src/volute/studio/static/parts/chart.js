/** Curves over what was shown: a thin line as measured, a thick one smoothed. */

import { h, s } from "../lib/dom.js";
import { number } from "../lib/words.js";

const HEIGHT = 260;
const EDGE = { left: 46, right: 12, top: 12, bottom: 28 };
const SMOOTH = 0.85;
const NAMES = {
  g_loss: "generator",
  d_loss: "discriminator",
  loss: "loss",
  held_out_bits: "bits a byte, held out",
  bits: "bits a byte",
  nats: "nats",
  accuracy: "accuracy",
  held_out_accuracy: "accuracy, held out",
  psnr: "PSNR",
  content: "content",
  style: "style",
};
const WANTED = [
  "g_loss",
  "d_loss",
  "loss",
  "nats",
  "bits",
  "held_out_bits",
  "content",
  "style",
  "accuracy",
  "held_out_accuracy",
  "psnr",
];
const OTHER = ["shown", "seconds", "rate", "lr"];
const MOST = 3;

/** `<volute-chart>`: `draw(log)` with lines of numbers, each with `shown`. */
export class Chart extends HTMLElement {
  connectedCallback() {
    if (this.drawing) return;
    this.drawing = s("svg", { role: "img" });
    this.legend = h("p.key", {});
    this.append(this.legend, this.drawing);
    this.drawing.addEventListener("pointermove", (event) => this.#point(event));
    this.drawing.addEventListener("pointerleave", () => this.#key());
    new ResizeObserver(() => {
      if (this.clientWidth && this.clientWidth !== this.width) this.draw(this.log);
    }).observe(this);
  }

  draw(log = []) {
    this.log = log;
    this.width = this.clientWidth || 640;
    this.drawing.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.series = chosen(log);
    this.drawing.replaceChildren();
    this.#key();
    if (!this.series.length) {
      this.drawing.setAttribute("aria-label", "No numbers yet");
      return;
    }
    const all = this.series.flatMap(({ points }) => points);
    const span = (index) => [
      Math.min(...all.map((one) => one[index])),
      Math.max(...all.map((one) => one[index])),
    ];
    [this.x, this.y] = [
      scale(...span(0), EDGE.left, this.width - EDGE.right),
      scale(...padded(span(1)), HEIGHT - EDGE.bottom, EDGE.top),
    ];
    this.drawing.append(...this.#axes());
    for (const { points, index } of this.series) {
      const line = (some) =>
        `M${some.map(([x, y]) => `${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`).join("L")}`;
      this.drawing.append(
        s("path", { class: `thin c${index}`, d: line(points) }),
        s("path", { class: `thick c${index}`, d: line(smoothed(points)) }),
      );
    }
    this.mark = s("path", { class: "mark", d: "" });
    this.drawing.append(this.mark);
    this.drawing.setAttribute(
      "aria-label",
      `Curves: ${this.series.map(({ name, points }) => `${name} from ${round(points[0][1])} to ${round(points.at(-1)[1])}`).join("; ")}`,
    );
  }

  #axes() {
    const made = [];
    for (const value of ticks(this.y.from, this.y.to, 4)) {
      made.push(
        s("path", {
          class: "rule",
          d: `M${EDGE.left} ${this.y(value)}H${this.width - EDGE.right}`,
        }),
        text(EDGE.left - 8, this.y(value) + 4, round(value), "end"),
      );
    }
    for (const value of ticks(this.x.from, this.x.to, this.width / 90))
      made.push(
        text(
          this.x(value),
          HEIGHT - 8,
          value >= 10_000 ? `${number(value / 1000)}k` : number(value),
          "middle",
        ),
      );
    return made;
  }

  /** The legend, with the values at one place, or the last. */
  #key(at = Infinity) {
    this.legend.replaceChildren(
      ...(this.series ?? []).map(({ name, points, index }) => {
        const point = points.findLast(([x]) => x <= at) ?? points[0];
        return h(
          `span.c${index}`,
          {},
          h("i", { "aria-hidden": "true" }),
          `${name} ${round(point[1])}`,
        );
      }),
      ...(Number.isFinite(at) ? [h("span", {}, `at ${number(at)} shown`)] : []),
    );
  }

  #point(event) {
    if (!this.series?.length) return;
    const box = this.drawing.getBoundingClientRect();
    const x = event.clientX - box.left;
    if (x < EDGE.left || x > this.width - EDGE.right) return;
    this.mark.setAttribute("d", `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}`);
    this.#key(this.x.back(x));
  }
}

function chosen(log) {
  const keys = Object.keys(Object.assign({}, ...log)).filter((key) => !OTHER.includes(key));
  const known = WANTED.filter((key) => keys.includes(key));
  return (known.length ? known : keys)
    .slice(0, MOST)
    .map((key, index) => ({
      index,
      name: NAMES[key] ?? key.replaceAll("_", " "),
      points: log
        .filter((line) => Number.isFinite(line[key]))
        .map((line) => [line.shown, line[key]]),
    }))
    .filter(({ points }) => points.length);
}

function smoothed(points) {
  let now = points[0][1];
  return points.map(([x, y], index) => {
    const keep = Math.min(SMOOTH, index / (index + 3));
    now = now * keep + y * (1 - keep);
    return [x, now];
  });
}

function scale(from, to, start, end) {
  const width = to - from || 1;
  const at = (value) => start + ((value - from) / width) * (end - start);
  return Object.assign(at, {
    from,
    to,
    back: (place) => from + ((place - start) / (end - start)) * width,
  });
}

const padded = ([low, high]) => {
  const more = (high - low || 1) * 0.06;
  return [low - more, high + more];
};

function ticks(from, to, count) {
  const rough = (to - from) / count || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * unit >= rough) * unit;
  const made = [];
  for (let value = Math.ceil(from / step) * step; value <= to; value += step) made.push(value);
  return made;
}

const text = (x, y, words, anchor) => s("text", { x, y, "text-anchor": anchor }, String(words));

const round = (value) =>
  Math.abs(value) >= 100 ? number(value) : Number(value.toPrecision(3)).toString();

customElements.define("volute-chart", Chart);
