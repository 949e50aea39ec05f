/** Write: a text goes on as a model thinks it would, and shows what it did not expect. */

import "../parts/recent.js";
import { listModels, post } from "../lib/api.js";
import { button, download, h, hold, holds, icon, say, tell, View } from "../lib/dom.js";
import { choice, line, select, slider, toggle, wish } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { number, plural } from "../lib/words.js";

const LEVELS = 6;
const BITS = 1.6;
const PROMPTS = { bard: "ROMEO:\n", darwin: "It is interesting to " };

class Write extends View {
  build() {
    this.trouble = h("div", {});
    this.state = h("div.facts", {});
    this.prompt = h("textarea", {
      id: "prompt",
      rows: 4,
      placeholder: "Begin with a few words, or leave it empty.",
      maxlength: 20000,
    });
    this.text = h("div.written", { role: "region", "aria-label": "The text", tabindex: "0" });
    this.told = h("p.soft.grow", {});
    this.colour = toggle({
      label: "Show surprise",
      value: true,
      onchange: (on) => this.text.classList.toggle("plain", !on),
    });
    this.models = h("div", {});
    this.length = slider({
      label: "Length",
      min: 50,
      max: 3000,
      step: 50,
      value: 500,
      shown: (value) => `${number(value)} tokens`,
    });
    this.temperature = slider({
      label: "Temperature",
      hint: "Less: more usual. More: more daring.",
      min: 0,
      max: 1.5,
      step: 0.05,
      value: 0.8,
      shown: (value) => value.toFixed(2),
    });
    this.seed = line({
      label: "Seed",
      hint: "Empty: another text each time.",
      type: "number",
      min: 0,
      step: 1,
    });
    this.classes = h("div", {});
    this.go = h("button.primary.wide", {}, icon("write"), h("span", {}, "Write"));
    this.ask = button("Show how surprising this is", "question", () => this.score());
    for (const one of [this.go, this.ask]) hold(one, true); // until the models are known
    const form = h(
      "form.panel",
      {
        "aria-label": "How to write",
        onsubmit: (event) => {
          event.preventDefault();
          this.write();
        },
      },
      this.models,
      this.classes,
      this.length,
      this.temperature,
      this.seed,
      this.colour,
      this.go,
    );
    this.append(
      this.head(
        "Write",
        "The model goes on with your text, character by character. The stronger the colour behind it, the less it expected what stands there.",
      ),
      h(
        "div.work",
        {},
        h(
          "div.stage",
          {},
          this.trouble,
          h(
            "div.field",
            {},
            h("label", { for: "prompt" }, "Beginning"),
            this.prompt,
            h(
              "div.facts",
              {},
              this.ask,
            ),
          ),
          this.state,
          h("div.paper", {}, legend(), this.text),
        ),
        form,
      ),
      h("volute-recent", { deed: "write" }),
    );
    this.blank();
    this.start();
    window.addEventListener("models", () => this.start());
  }

  entered({ model }) {
    wish(this, model);
  }

  async start() {
    try {
      this.found = await listModels("lm");
      const name = this.wanted ?? this.picker?.value ?? "bard";
      if (!this.picker) for (const one of [this.go, this.ask]) hold(one, false);
      this.picker = choice({
        label: "Model",
        kind: "cards",
        value: this.found.some((one) => one.name === name) ? name : this.found[0]?.name,
        onchange: () => this.chosen(),
        options: this.found.map((one) => [
          one.name,
          h("b", {}, one.name),
          `Learned from ${one.trained_on}`,
        ]),
      });
      this.models.replaceChildren(this.picker);
      this.chosen();
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  chosen() {
    const model = this.found.find(({ name }) => name === this.picker.value);
    this.label = model?.classes.length
      ? select({
          label: "Class",
          options: [["", "Any"], ...model.classes.map((one) => [one, one])],
        })
      : null;
    this.classes.replaceChildren(...[this.label].filter(Boolean));
    if (!this.prompt.value || Object.values(PROMPTS).includes(this.prompt.value))
      this.prompt.value = PROMPTS[model?.name] ?? "";
  }

  blank() {
    this.text.replaceChildren(
      h("p.soft", {}, "Press Write: the text appears here as it is written."),
    );
    this.state.replaceChildren();
  }

  async write() {
    if (holds(this.go)) return;
    const prompt = this.prompt.value;
    const request = {
      model: this.picker.value,
      prompt,
      tokens: this.length.value,
      temperature: this.temperature.value,
      label: this.label?.value ?? "",
      seed: this.seed.input.value === "" ? null : this.seed.value,
    };
    this.trouble.replaceChildren();
    this.text.replaceChildren(h("span.given", {}, prompt));
    this.bits = this.count = 0;
    hold(this.go, true);
    this.state.replaceChildren(
      this.told,
      button("Stop", "stop", () =>
        jobs.cancel(this.job).catch((error) => tell(this.trouble, error)),
      ),
    );
    this.told.textContent = "Reading the beginning…";
    let made = null;
    try {
      await jobs.run("/write", request, {
        begun: ({ id }) => {
          this.job = id;
        },
        text: ({ pieces }) => this.add(pieces),
        result: (result) => {
          made = result;
        },
      });
      say(`Written: ${this.told.textContent}`);
    } catch (error) {
      tell(this.trouble, error);
    }
    this.job = "";
    hold(this.go, false);
    this.state.replaceChildren(
      this.told,
      button("Copy", "copy", () => this.copy()),
      ...(made
        ? [
            download("Manifest", `/api/v1/results/${made.id}/manifest`, {
              name: `${made.name}.c2pa`,
            }),
            download("Download", `${made.file}?download=true`, { name: made.name }),
          ]
        : []),
    );
  }

  add(pieces) {
    const near = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 80;
    this.text.append(...pieces.map(({ text, bits }) => piece(text, bits)));
    for (const { text, bits } of pieces) {
      this.bits += bits;
      this.count += [...text].length;
    }
    this.told.textContent = `${plural(this.count, "character")} · ${(this.bits / Math.max(1, this.count)).toFixed(2)} bits of surprise each`;
    if (near && this.count > 200) window.scrollTo({ top: document.documentElement.scrollHeight });
  }

  async score() {
    if (holds(this.ask)) return;
    const text = this.prompt.value;
    if (!text.trim()) {
      this.prompt.focus();
      say("Write or paste a text first");
      return;
    }
    try {
      const { bits_per_byte: bits, pieces } = await post("/score", {
        model: this.picker.value,
        text,
      });
      this.text.replaceChildren(...pieces.map((one) => piece(one.text, one.bits)));
      this.told.textContent = `${this.picker.value} expected this text with ${bits.toFixed(2)} bits a byte`;
      this.state.replaceChildren(this.told);
      say(this.told.textContent);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async copy() {
    await navigator.clipboard.writeText(this.text.textContent);
    say("Copied");
  }
}

/** Some characters on a ground by their bits. */
function piece(text, bits) {
  const level = Math.min(LEVELS - 1, Math.floor(bits / BITS));
  return h(`span.s${level}`, { title: `${bits.toFixed(1)} bits` }, text);
}

const legend = () =>
  h(
    "p.legend",
    {},
    h("span", {}, "Expected"),
    Array.from({ length: LEVELS }, (_, level) => h(`i.s${level}`, { "aria-hidden": "true" })),
    h("span", {}, "Surprising"),
  );

customElements.define("volute-write", Write);
