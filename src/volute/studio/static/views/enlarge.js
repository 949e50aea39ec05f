/** Enlarge: photographs, DICOM, NIfTI and GeoTIFF, each back in its own format. */

import "../parts/drop.js";
import "../parts/enlarged.js";
import "../parts/recent.js";
import { get, listModels, Problem, upload } from "../lib/api.js";
import { h, hold, holds, icon, say, tell, View } from "../lib/dom.js";
import { choice, select, slider, toggle, wish } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { percent, span } from "../lib/words.js";

const FORMATS = {
  photo: "Photograph",
  dicom: "DICOM",
  nifti: "NIfTI",
  geotiff: "GeoTIFF",
  video: "Film",
};
const PREVIEW = 3072;
const ABOUT = { fast: "Quick", robust: "Also repairs noise and JPEG" };

class Enlarge extends View {
  build() {
    this.items = [];
    this.trouble = h("div", {});
    this.place = h("volute-enlarged.stage", {});
    this.strip = h("ul.strip", { "aria-label": "Files" });
    this.drop = h("volute-drop", {
      label: "Drop files here, or choose them",
      multiple: true,
      hint: "Photographs, DICOM, NIfTI, GeoTIFF. Each comes back in its own format.",
    });
    this.models = h("div", {});
    this.more = h("div.field", {});
    this.faithful = toggle({
      label: "Stay faithful",
      hint: "Made small again, it equals the source.",
    });
    this.check = toggle({ label: "Map what was invented", value: true });
    this.plane = select({
      label: "Plane of volumes",
      value: "axial",
      options: [
        ["axial", "Axial"],
        ["coronal", "Coronal"],
        ["sagittal", "Sagittal"],
        ["all", "All three"],
      ],
    });
    this.plane.hidden = true;
    this.go = h("button.primary.wide", {}, icon("enlarge"), h("span", {}, "Enlarge"));
    const form = h(
      "form.panel",
      {
        "aria-label": "How to enlarge",
        onsubmit: (event) => {
          event.preventDefault();
          if (holds(this.go)) return;
          if (this.ready.length) this.enlarge();
          else this.drop.input.click();
        },
      },
      this.models,
      this.more,
      this.plane,
      this.faithful,
      this.check,
      this.go,
    );
    this.append(
      this.head(
        "Enlarge",
        "More pixels for photographs, scans and maps. What was invented is shown, not hidden.",
      ),
      h("div.work", {}, h("div.stage", {}, this.trouble, this.place, this.strip, this.drop), form),
      h("volute-recent", { deed: "upscale" }),
    );
    this.drop.addEventListener("files", ({ detail }) => this.add(detail));
    this.start();
    window.addEventListener("models", () => this.start());
  }

  entered({ model }) {
    wish(this, model);
  }

  async start() {
    try {
      this.found = await listModels("upscale");
      const name = this.wanted ?? this.picker?.value ?? "photo-x2";
      const words = ({ name: of, scale }) =>
        `${scale} times larger${Object.entries(ABOUT)
          .filter(([key]) => of.includes(key))
          .map(([, more]) => `. ${more}`)
          .join("")}`;
      this.picker = choice({
        label: "Model",
        kind: "cards",
        value: this.found.some((one) => one.name === name) ? name : this.found[0]?.name,
        options: this.found.map((one) => [one.name, h("b", {}, one.name), words(one)]),
        onchange: () => this.chosen(),
      });
      this.models.replaceChildren(this.picker);
      this.chosen();
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  chosen() {
    const model = this.found.find(({ name }) => name === this.picker.value);
    this.strength = model?.strength
      ? slider({
          label: "Repair",
          min: 0,
          max: 1,
          step: 0.05,
          value: 0.5,
          shown: (value) => `${Math.round(value * 100)} %`,
        })
      : null;
    this.int8 = model?.int8
      ? toggle({ label: "Compute in integers", hint: "Quicker; differs a little." })
      : null;
    this.more.replaceChildren(...[this.strength, this.int8].filter(Boolean));
  }

  async add(files) {
    this.trouble.replaceChildren();
    const added = files.map((file) => this.item(file));
    this.show(added[0]);
    for (const item of added) await this.read(item);
    this.show(this.now);
  }

  item(file) {
    const item = {
      source: file,
      name: file.name,
      state: "reading",
      tile: h("button.tile", { type: "button" }),
    };
    item.tile.addEventListener("click", () => this.show(item));
    this.items.push(item);
    this.strip.append(h("li", {}, item.tile));
    this.mark(item);
    return item;
  }

  async read(item) {
    try {
      item.file = await upload(item.source);
      item.state = "ready";
      if (!FORMATS[item.file.kind])
        throw new Problem({
          detail: `${item.name} is no picture that can be enlarged`,
          hint: "Give a photograph, DICOM, NIfTI or GeoTIFF.",
        });
      if (item.file.preview)
        item.before = await shown(item.file.preview, `${item.name}, as it was`);
    } catch (error) {
      item.state = "failed";
      item.error = error.detail
        ? error
        : { detail: `${item.name} cannot be shown`, hint: "It may be damaged." };
    }
    this.mark(item);
  }

  mark(item) {
    const words = {
      reading: "reading",
      ready: FORMATS[item.file?.kind],
      working: percent(item.share ?? 0),
      done: "done",
      failed: "cannot be enlarged",
    }[item.state];
    const small = item.before
      ? h("img", { src: item.before.src, alt: "" })
      : icon(item.state === "failed" ? "warn" : "enlarge");
    item.tile.replaceChildren(
      small,
      h("span", {}, h("b", {}, item.name), h("small", {}, words ?? "")),
    );
    item.tile.setAttribute("aria-pressed", String(this.now === item));
    this.strip.hidden = this.items.length < 2;
  }

  /** Show one of the files, before and after. */
  show(item) {
    this.now = item;
    for (const one of this.items) this.mark(one);
    this.drop.classList.toggle("small", this.items.length > 0);
    this.plane.hidden = !this.items.some(({ file }) => file?.kind === "nifti");
    hold(this.go, this.busy);
    this.place.show(item);
  }

  get ready() {
    return this.items.filter(({ state }) => state === "ready" || state === "done");
  }

  async enlarge() {
    this.busy = true;
    hold(this.go, true);
    const work = this.ready;
    for (const item of work.length > 1 ? work.filter(({ state }) => state === "ready") : work)
      await this.one(item);
    this.busy = false;
    this.show(this.now);
  }

  async one(item) {
    const model = this.found.find(({ name }) => name === this.picker.value);
    const options = item.file.kind === "nifti" ? { plane: this.plane.value } : {};
    const request = {
      file: item.file.id,
      model: model.name,
      strength: this.strength?.value ?? null,
      faithful: this.faithful.value,
      check: this.check.value,
      int8: this.int8?.value ?? false,
      options,
    };
    Object.assign(item, {
      state: "working",
      share: 0,
      error: null,
      after: null,
      map: null,
      scale: model.scale,
    });
    this.show(item);
    const results = [];
    try {
      const job = await jobs.run("/upscale", request, {
        begun: ({ id }) => {
          item.job = id;
        },
        progress: ({ fraction }) => {
          item.share = fraction;
          item.bar?.fill(fraction);
          this.mark(item);
        },
        result: (result) => results.push(result),
      });
      await this.finish(item, job, results);
    } catch (error) {
      item.state = error.name === "AbortError" ? "ready" : "failed";
      item.error = error.name === "AbortError" ? null : error;
    }
    this.show(this.now);
  }

  async finish(item, job, results) {
    const all = results.length
      ? results
      : await Promise.all(job.results.map((id) => get(`/results/${id}`)));
    item.made = all.find(({ role }) => role === "file");
    const map = all.find(({ role }) => role === "map");
    if (item.before && item.made.preview)
      item.after = await shown(item.made.preview, `${item.name}, enlarged`);
    if (item.before && map) item.map = await shown(map.preview, "Where detail was invented");
    item.state = "done";
    say(
      `${item.name} is enlarged${job.started && job.ended ? `, in ${span((new Date(job.ended) - new Date(job.started)) / 1000)}` : ""}`,
    );
  }
}

async function shown(url, alt) {
  const image = h("img", { src: `${url}?side=${PREVIEW}`, alt });
  await image.decode();
  return image;
}

customElements.define("volute-enlarge", Enlarge);
