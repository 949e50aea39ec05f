/** Create: pictures out of nothing but numbers. */

import "../parts/cells.js";
import "../parts/drop.js";
import { forget, get, listModels, picture, post, upload } from "../lib/api.js";
import { button, empty, h, hold, holds, icon, say, tell, View } from "../lib/dom.js";
import { choice, seed, select, slider } from "../lib/fields.js";
import { ended, jobs } from "../lib/jobs.js";
import { working } from "../lib/tray.js";
import { plural } from "../lib/words.js";

const KINDS = ["gan", "vae"];
const EARLIER = 8;

class Create extends View {
  build() {
    this.cells = h("volute-cells", {});
    this.cells.addEventListener("press", ({ detail }) =>
      this.pressed(detail.result, detail.button),
    );
    this.cells.addEventListener("pair", ({ detail }) => this.blend(...detail));
    this.trouble = h("div", {});
    this.state = h("div.state", {});
    this.place = h("div", {});
    this.form = h("form.panel", {
      "aria-label": "What to make",
      onsubmit: (event) => {
        event.preventDefault();
        if (!holds(this.go)) this.make();
      },
    });
    this.append(
      this.head(
        "Make pictures",
        "A model draws them from nothing but numbers. Take one that you like, and change it.",
      ),
      h(
        "div.work",
        {},
        h("div.stage", {}, this.trouble, this.place, this.state, this.cells),
        this.form,
      ),
    );
    this.ready = this.start();
    window.addEventListener("models", () => this.start());
  }

  entered({ model }) {
    this.wanted = model ?? this.wanted;
    if (model && this.models) this.choose(model);
  }

  async start() {
    try {
      this.models = await listModels(...KINDS);
      this.fill();
      if (this.cells.empty) await this.earlier();
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  /** The form, for the models that there are. */
  fill() {
    const chosen = this.wanted ?? this.picker?.value ?? "land-gan";
    const name = (this.models.find((one) => one.name === chosen) ?? this.models[0])?.name;
    this.picker = choice({
      label: "Model",
      kind: "cards",
      value: name,
      onchange: (model) => this.choose(model),
      options: this.models.map((one) => [
        one.name,
        [this.thumbnail(one), h("b", {}, one.name)],
        `${one.size} px${one.classes.length ? ` · ${plural(one.classes.length, "class", "classes")}` : ""}`,
      ]),
    });
    this.count = choice({
      label: "How many",
      value: 16,
      options: [
        [4, "4"],
        [16, "16"],
        [36, "36"],
        [64, "64"],
      ],
    });
    this.seed = seed(0);
    this.truncation = slider({
      label: "Truncation",
      hint: "Less: more typical. More: more varied.",
      min: 0.1,
      max: 1,
      step: 0.05,
      value: 1,
      shown: (value) => value.toFixed(2),
    });
    this.classes = h("div", {});
    this.go = h("button.primary.wide", {}, icon("create"), h("span", {}, "Make pictures"));
    const recall = h("volute-drop", {
      label: "Go on from a picture",
      hint: "Drop one that was made here: its record says how.",
      accept: "image/png",
      class: "small",
    });
    recall.addEventListener("files", ({ detail }) => this.recall(detail[0]));
    this.form.replaceChildren(
      this.picker,
      this.classes,
      this.count,
      this.seed,
      this.truncation,
      this.go,
      recall,
    );
    if (name) this.choose(name);
  }

  thumbnail(model) {
    const small = h("img", { alt: "", width: 48, height: 48 });
    picture("/redraw", { model: model.name, point: { seed: 1 } }).then(
      (blob) => {
        small.src = URL.createObjectURL(blob);
      },
      () => {},
    );
    return small;
  }

  choose(name) {
    const model = this.models.find((one) => one.name === name);
    if (!model) return;
    this.picker.value = name;
    this.label = model.classes.length
      ? select({
          label: "Class",
          options: [["", "Any"], ...model.classes.map((one) => [one, one])],
        })
      : null;
    this.classes.replaceChildren(...[this.label].filter(Boolean));
  }

  /** What was made last: a grid that still fills is taken up again. */
  async earlier() {
    const [last] = (await get("/jobs?limit=50")).filter(({ kind }) => kind === "sample");
    if (last && !ended(last) && this.cells.empty) {
      await this.#filled(last.request, (hears) => jobs.again(last.id, hears), last.id);
      return;
    }
    const { results } = await get(`/results?deed=sample&limit=${EARLIER}`);
    if (!this.cells.empty) return;
    if (results.length) this.cells.fill(results);
    else
      this.state.replaceChildren(
        empty(
          "create",
          "Nothing here yet",
          "Choose a model and press Make pictures. The first one comes in about a second.",
        ),
      );
  }

  make() {
    const request = {
      model: this.picker.value,
      n: Number(this.count.value),
      seed: this.seed.value,
      truncation: this.truncation.value,
      classes: this.label?.value ? [this.label.value] : [],
    };
    return this.#filled(request, (hears) => jobs.run("/sample", request, hears));
  }

  /** Fill the grid by a job, which `begin` starts or takes up. */
  async #filled({ n }, begin, id = "") {
    this.trouble.replaceChildren();
    this.close();
    this.cells.wait(n);
    hold(this.go, true);
    const came = new Set();
    const told = working(
      this.state,
      "Making pictures",
      () => id && jobs.cancel(id).catch((error) => tell(this.trouble, error)),
    );
    try {
      await begin({
        begun: (job) => {
          id = job.id;
        },
        result: (result) => {
          if (came.has(result.id)) return;
          came.add(result.id);
          this.cells.put(result);
          told(came.size / n, `${came.size} of ${n}`);
        },
      });
      say(`${plural(n, "picture")} made`);
    } catch (error) {
      tell(this.trouble, error);
      if (error.status === 404) forget(); // the model is gone
      if (error.name === "AbortError") say("Stopped");
    }
    this.cells.settle();
    this.state.replaceChildren();
    if (this.cells.empty) await this.earlier();
    hold(this.go, false);
  }

  pressed(result, press) {
    if (this.first && this.first.model === result.model) {
      const { model, point } = this.first;
      this.first = null;
      this.blend({ model, request: { point } }, result);
      return;
    }
    this.from = press;
    this.explore(result.model, result.request.point, result);
  }

  async explore(name, point, result = null) {
    const model = this.models.find((one) => one.name === name);
    if (!model) {
      tell(this.trouble, {
        detail: `the model ${name} is no longer here`,
        hint: "Import it in Models.",
      });
      return;
    }
    await import("../parts/explorer.js");
    const explorer = this.tool("volute-explorer");
    explorer.addEventListener("blend", ({ detail }) => this.pick(name, detail));
    explorer.open(model, point, result);
  }

  async blend(one, other) {
    const model = this.models.find(({ name }) => name === one.model);
    await import("../parts/blend.js");
    this.tool("volute-blend").open(model, one.request.point, other.request.point);
  }

  /** Wait for the second picture of a blend to be chosen in the grid. */
  pick(model, point) {
    this.first = { model, point };
    const quit = () => {
      this.first = null;
      this.state.replaceChildren();
    };
    this.state.replaceChildren(
      h(
        "p.notice",
        {},
        icon("blend"),
        h(
          "span",
          {},
          "Now choose the picture to blend it with, below. With a mouse you can also drag one picture onto another.",
        ),
        button("Cancel", "close", quit, { quiet: true }),
      ),
    );
    this.state.scrollIntoView({ block: "nearest" });
    this.cells.focus();
    say("Choose the picture to blend it with");
  }

  tool(tag) {
    const made = h(`${tag}.card`, {});
    this.state.replaceChildren();
    this.place.replaceChildren(made);
    made.addEventListener("close", () => {
      this.close();
      (this.from?.isConnected ? this.from : this.go).focus();
    });
    made.addEventListener("kept", ({ detail }) => this.cells.add(detail));
    return made;
  }

  close() {
    this.first = null;
    this.place.replaceChildren();
  }

  async recall(file) {
    try {
      const { request } = await post("/again", { file: (await upload(file)).id });
      await this.explore(request.model, request.point);
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

customElements.define("volute-create", Create);
