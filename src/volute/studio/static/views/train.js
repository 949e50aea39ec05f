/** Train: a model of one's own, from a folder to something to use. */

import "../parts/dataset.js";
import "../parts/run.js";
import { about, get, post } from "../lib/api.js";
import { h, hold, holds, icon, tell, View } from "../lib/dom.js";
import { choice, line, select, seed } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";

const KINDS = [
  ["gan", "New pictures", "GAN: the sharpest; wants time"],
  ["vae", "Variations", "VAE: quick and steady, softer"],
  ["style", "Painter", "Paints like the pictures given"],
  ["upscale", "Enlarger", "Learns what detail is like"],
  ["classify", "Classifier", "Names pictures or texts, by folder"],
  ["lm", "Writer", "Goes on with texts like yours"],
  ["extractor", "Features", "Measures how alike pictures are"],
];
const TIMES = [
  ["2m", "2 min"],
  ["10m", "10 min"],
  ["30m", "30 min"],
  ["2h", "2 h"],
];
const STATES = { running: "learning", stopped: "stopped", done: "done" };

class Train extends View {
  build() {
    this.trouble = h("div", {});
    this.tabs = h("ul.strip", { "aria-label": "Trainings" });
    this.place = h("div", {});
    this.append(
      this.head(
        "Train",
        "Show it your own pictures or texts. It learns on this computer; you watch, stop and go on as you like.",
      ),
      h("div.stage", {}, this.trouble, this.tabs, this.place),
    );
    this.make();
    this.place.append(this.fresh);
    this.list();
    about().then(
      ({ can }) => this.able(can.train),
      () => {},
    );
  }

  entered({ run }) {
    if (run) this.show(run);
    else this.list();
  }

  /** Where training needs what is not installed, that is said at once. */
  able(can) {
    if (can) return;
    hold(this.go, true);
    tell(this.trouble, {
      detail: "training needs torch, which is not installed",
      hint: "Close the studio, then: pip install 'volute[train]'",
    });
  }

  make() {
    this.data = h("volute-dataset", {});
    this.kind = choice({
      label: "What it shall become",
      kind: "cards",
      value: "gan",
      options: KINDS.map(([of, words, more]) => [of, h("b", {}, words), more]),
      onchange: () => this.chosen(),
    });
    this.time = choice({ label: "Time", value: "10m", options: TIMES });
    this.size = select({
      label: "Size",
      options: [
        ["", "As the pictures suggest"],
        ...[28, 32, 64, 128, 256].map((one) => [String(one), `${one} px`]),
      ],
    });
    this.preset = select({
      label: "Preset",
      options: [
        ["", "As this computer suggests"],
        ["tiny", "tiny"],
        ["small", "small"],
        ["base", "base"],
      ],
    });
    this.name = line({ label: "Name", hint: "Empty: that of the data.", maxlength: 80 });
    this.seed = seed(0);
    this.practice = h("div", {});
    this.go = h("button.primary.wide", {}, icon("train"), h("span", {}, "Train"));
    const form = h(
      "form.panel",
      {
        "aria-label": "How to train",
        onsubmit: (event) => {
          event.preventDefault();
          if (holds(this.go)) return;
          if (this.data.value) this.train();
          else this.data.folder.input.click();
        },
      },
      this.kind,
      this.practice,
      this.time,
      h(
        "details",
        {},
        h("summary", {}, "More"),
        h("div.panel-more", {}, this.size, this.preset, this.name, this.seed),
      ),
      this.go,
    );
    this.fresh = h("div.work", {}, this.data, form);
    this.data.addEventListener("change", () => {
      this.practise();
    });
  }

  /** A painter also needs pictures to practise on. */
  practise() {
    const others = (this.data.found ?? [])
      .filter(({ name }) => name !== this.data.value)
      .map(({ name }) => [name, name.replace(/^data\//, "")]);
    this.content =
      this.kind.value === "style"
        ? select({
            label: "What to practise on",
            options: [["", "Procedural scenes"], ...others],
            value: this.content?.value ?? "",
          })
        : null;
    this.practice.replaceChildren(...[this.content].filter(Boolean));
  }

  /** Texts are looked at as texts. */
  chosen() {
    const text = this.kind.value === "lm";
    this.size.hidden = text;
    this.practise();
    if (text !== Boolean(this.data.text)) this.data.look(text);
  }

  async list() {
    try {
      this.runs = await get("/runs");
    } catch (error) {
      tell(this.trouble, error);
      return;
    }
    const tab = (words, more, name, id) =>
      h(
        "li",
        {},
        h(
          "button.tile",
          {
            type: "button",
            "aria-pressed": String((this.shown ?? "") === id),
            onclick: () => this.show(id),
          },
          icon(name),
          h("span", {}, h("b", {}, words), h("small", {}, more)),
        ),
      );
    this.tabs.replaceChildren(
      tab("New training", "from a folder", "plus", ""),
      ...this.runs.map(({ id, kind, state }) => tab(id, `${kind} · ${STATES[state]}`, "train", id)),
    );
    this.tabs.hidden = !this.runs.length && !this.shown;
  }

  show(id, job = "") {
    this.shown = id;
    if (!id) {
      this.place.replaceChildren(this.fresh);
      this.list();
      return;
    }
    if (!this.run) {
      this.run = h("volute-run", {});
      this.run.addEventListener("changed", ({ detail }) =>
        detail === "gone" ? this.show("") : this.list(),
      );
    }
    this.place.replaceChildren(this.run);
    this.run.open(id, job);
    this.list();
  }

  async train() {
    this.trouble.replaceChildren();
    hold(this.go, true);
    const settings = this.content?.value ? { content: this.content.value } : {};
    const request = {
      kind: this.kind.value,
      dataset: this.data.value,
      preset: this.preset.value,
      size: this.size.value && !this.size.hidden ? Number(this.size.value) : null,
      time: this.time.value,
      seed: this.seed.value,
      name: this.name.value.trim(),
      settings,
    };
    try {
      const job = await post("/train", request);
      this.show(job.request.run, job.id);
      jobs
        .end(job.id)
        .catch(() => {})
        .finally(() => this.list());
    } catch (error) {
      tell(this.trouble, error);
    }
    hold(this.go, false);
  }
}

customElements.define("volute-train", Train);
