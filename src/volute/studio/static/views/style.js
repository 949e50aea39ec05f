/** Style: a picture, or the camera, painted like another picture. */

import "../parts/compare.js";
import "../parts/drop.js";
import "../parts/gallery.js";
import "../parts/recent.js";
import { listModels, Problem, upload } from "../lib/api.js";
import { button, download, h, hold, holds, icon, say, tell, View } from "../lib/dom.js";
import { choice, select, slider, toggle } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { Preview } from "../lib/preview.js";
import { paint } from "../lib/redraw.js";
import { bar, working } from "../lib/tray.js";

class Style extends View {
  build() {
    this.trouble = h("div", {});
    this.place = h("div.stage", {});
    this.state = h("div.state", {});
    this.mode = choice({
      label: "Paint",
      value: "picture",
      options: [
        ["picture", "A picture"],
        ["camera", "The camera, live"],
      ],
      onchange: (mode) => this.turn(mode),
    });
    this.gallery = h("volute-gallery", {});
    this.strength = slider({
      label: "Strength",
      min: 0,
      max: 1,
      step: 0.05,
      value: 1,
      shown: (value) => `${Math.round(value * 100)} %`,
      onmove: () => this.changed(),
    });
    this.colour = toggle({ label: "Keep the colours", onchange: () => this.changed() });
    this.go = h("button.primary.wide", {}, icon("style"), h("span", {}, "Paint at full size"));
    this.models = h("div", {});
    this.preview = new Preview({
      how: () => this.how(),
      show: (bitmap) => this.previewed(bitmap),
      fail: (error) => tell(this.trouble, error),
    });
    const form = h(
      "form.panel",
      {
        "aria-label": "How to paint",
        onsubmit: (event) => {
          event.preventDefault();
          if (holds(this.go)) return;
          if (this.still) this.paint(this.file);
          else this.place.querySelector("input[type=file]")?.click();
        },
      },
      this.mode,
      this.models,
      this.strength,
      this.colour,
      this.go,
    );
    this.recent = h("volute-recent", { deed: "stylize" });
    this.append(
      this.head(
        "Paint like another picture",
        "Choose a style and see it at once. The camera is painted live, on this computer.",
      ),
      h(
        "div.work",
        {},
        h("div.stage", {}, this.trouble, this.place, this.state, this.gallery),
        form,
      ),
      this.recent,
    );
    this.gallery.addEventListener("change", () => this.changed());
    this.ask();
    this.start();
    window.addEventListener("models", () => this.start());
  }

  left() {
    this.camera?.stop();
    this.preview.close();
  }

  entered({ model }) {
    this.wanted = model ?? this.wanted;
    if (this.still) this.changed();
  }

  async start() {
    try {
      const found = await listModels("style");
      const name = (found.find((one) => one.name === (this.wanted ?? "painter")) ?? found[0])?.name;
      this.model = found.find((one) => one.name === name);
      const pick = select({
        label: "Model",
        value: name,
        options: found.map((one) => [one.name, one.name]),
        onchange: (now) => {
          this.model = found.find((one) => one.name === now);
          this.gallery.open(this.model).then(() => this.changed());
        },
      });
      this.models.replaceChildren(...(found.length > 1 ? [pick] : []));
      await this.gallery.open(this.model);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  how() {
    return {
      model: this.model.name,
      styles: this.gallery.styles,
      strength: this.strength.value,
      keep_colour: this.colour.value,
    };
  }

  async turn(mode) {
    this.left();
    this.go.hidden = mode === "camera";
    if (mode === "picture") {
      if (this.still) this.compared();
      else this.ask();
      return;
    }
    this.camera ??= await this.newCamera();
    this.place.replaceChildren(this.camera);
    this.camera.start();
  }

  async newCamera() {
    await import("../parts/camera.js");
    const camera = h("volute-camera", {});
    camera.how = () => this.how();
    camera.addEventListener("taken", async ({ detail }) => {
      try {
        await this.paint(await upload(detail));
      } catch (error) {
        tell(this.trouble, error);
      }
    });
    return camera;
  }

  ask() {
    const drop = h("volute-drop", {
      label: "Drop a picture here, or choose one",
      hint: "JPEG, PNG, WebP, TIFF, AVIF, or a film",
      accept: "image/*,video/*",
    });
    drop.addEventListener("files", ({ detail }) => this.open(detail[0]));
    this.place.replaceChildren(drop);
  }

  async open(chosen) {
    this.trouble.replaceChildren();
    this.state.replaceChildren(h("p", {}, `Reading ${chosen.name}…`), bar(0, "Reading"));
    try {
      this.file = await upload(chosen);
      if (!this.file.preview)
        throw new Problem(
          this.file.kind === "photo"
            ? { detail: `${chosen.name} is too large to be shown`, hint: "Make it smaller first." }
            : {
                detail: `${chosen.name} is no picture`,
                hint: "Give a JPEG, PNG, WebP or TIFF.",
              },
        );
      this.still = h("img", {
        src: `${this.file.preview}?side=1600`,
        alt: `${chosen.name}, as it was`,
      });
      await this.still.decode();
      this.after = h("canvas", { role: "img", "aria-label": `${chosen.name}, painted` });
      this.compared();
    } catch (error) {
      this.still = null;
      tell(
        this.trouble,
        error.detail
          ? error
          : { detail: `${chosen.name} cannot be shown`, hint: "Give a JPEG, PNG, WebP or TIFF." },
      );
    }
    this.state.replaceChildren();
  }

  compared() {
    this.compare = h("volute-compare", {});
    this.size = h("p.soft.grow", {});
    this.place.replaceChildren(
      this.compare,
      h(
        "div.facts",
        {},
        this.size,
        button("Another picture", "drop", () => {
          this.left();
          this.still = null;
          this.ask();
        }),
      ),
    );
    this.paired(this.after, this.words);
    this.preview.open(this.still);
  }

  get words() {
    return `${this.file.name}: a quick preview, in which strokes look broader than at full size`;
  }

  previewed(bitmap) {
    paint(this.after, bitmap);
    this.after.dataset.painted = this.gallery.words;
    this.paired(this.after, this.words);
  }

  /** Show the original beside what was painted, with words for it. */
  paired(after, words) {
    this.compare.show({
      before: this.still,
      after,
      ratio: this.still.naturalWidth / this.still.naturalHeight,
      names: ["Original", "Painted"],
    });
    this.size.textContent = words;
  }

  /** Something has changed: paint it so, the camera or the preview. */
  changed() {
    if (this.mode.value === "camera") this.camera?.change();
    else if (this.still) this.preview.ask();
  }

  /** Show what was painted at full size, until something changes. */
  async whole(made) {
    const image = h("img", { src: `${made.preview}?side=1600`, alt: `${made.name}, painted` });
    await image.decode();
    this.paired(image, `${made.name}: at full size`);
  }

  async paint(file) {
    if (!file) return;
    hold(this.go, true);
    this.trouble.replaceChildren();
    let id = "";
    const told = working(
      this.state,
      `Painting ${file.name} like ${this.gallery.words}`,
      () => id && jobs.cancel(id).catch((error) => tell(this.trouble, error)),
    );
    try {
      let made = null;
      await jobs.run(
        "/stylize",
        { file: file.id, ...this.how() },
        {
          begun: (job) => {
            id = job.id;
          },
          progress: ({ fraction }) => told(fraction),
          result: (result) => {
            made = result;
          },
        },
      );
      this.state.replaceChildren(
        h("p", {}, icon("check"), h("span", {}, made.name)),
        download("Download", `${made.file}?download=true`, { kind: "primary", name: made.name }),
      );
      say(`${made.name} is painted`);
      if (file === this.file && this.mode.value === "picture") this.whole(made);
    } catch (error) {
      this.state.replaceChildren();
      tell(this.trouble, error);
    }
    hold(this.go, false);
  }
}

customElements.define("volute-style", Style);
