/** Models: what each is, how large, under which licence; in and out as a file. */

import "../parts/drop.js";
import { forget, get, listModels, post, remove, upload } from "../lib/api.js";
import { button, careful, download, h, icon, say, tell, View } from "../lib/dom.js";
import { choice } from "../lib/fields.js";
import { markdown } from "../lib/markdown.js";
import { bar } from "../lib/tray.js";
import { bytes, KINDS, short } from "../lib/words.js";

const OPENS = { gan: "create", vae: "create", style: "style", upscale: "enlarge", lm: "write" };
const ORIGINS = { shipped: "came with volute", imported: "imported", run: "trained here" };
const GROUPS = {
  all: "All",
  create: "Pictures",
  style: "Paint",
  enlarge: "Enlarge",
  write: "Write",
  other: "Other",
};

class Models extends View {
  build() {
    this.trouble = h("div", {});
    this.list = h("ul.shelf", {});
    this.group = choice({
      label: "Show",
      value: "all",
      options: Object.entries(GROUPS),
      onchange: () => this.fill(),
    });
    this.group.classList.add("inline");
    this.dialog = h("dialog", { "aria-labelledby": "card-title" });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    const drop = h("volute-drop", {
      label: "Import a model",
      hint: "Drop the zip that a studio has exported.",
      accept: ".zip,application/zip",
      class: "small",
    });
    drop.addEventListener("files", ({ detail }) => this.bring(detail[0]));
    this.append(
      this.head(
        "Models",
        "All of them run on this computer. Those that you train or import stand beside those that came along.",
      ),
      h("div.stage", {}, this.trouble, h("div.between", {}, this.group, drop), this.list),
      this.dialog,
    );
    this.start();
    window.addEventListener("models", () => this.start());
  }

  async start() {
    try {
      this.found = await listModels();
      this.fill();
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  fill() {
    const wanted = this.group.value;
    const shown = this.found.filter(
      ({ kind }) => wanted === "all" || (OPENS[kind] ?? "other") === wanted,
    );
    this.list.replaceChildren(
      ...(shown.length
        ? shown.map((model) => this.card(model))
        : [h("li.soft", {}, "There is none of this kind yet.")]),
    );
  }

  card(model) {
    const place = encodeURIComponent(model.name);
    const sheet = h("span.page", {}, icon(OPENS[model.kind] ?? "models"));
    const picture =
      model.kind === "lm"
        ? sheet
        : h("img", {
            src: `/api/v1/models/${place}/samples.png?side=480`,
            alt: "",
            loading: "lazy",
            decoding: "async",
          });
    picture.addEventListener("error", () => picture.replaceWith(sheet));
    const opens = OPENS[model.kind];
    return h(
      "li",
      {},
      picture,
      h(
        "div.told",
        {},
        h(
          "div.pair",
          {},
          h("h2", {}, model.name),
          h(`span.chip${model.origin === "run" ? ".running" : ""}`, {}, ORIGINS[model.origin]),
        ),
        h(
          "p.soft",
          {},
          `${KINDS[model.kind] ?? model.kind}${model.scale > 1 ? `, ${model.scale} times larger` : model.size ? `, ${model.size} px` : ""}`,
        ),
        h(
          "dl.small-facts",
          {},
          fact("Parameters", short(model.parameters)),
          fact("Size", bytes(model.bytes)),
          fact("Licence", model.licence || "not said"),
        ),
      ),
      h(
        "div.actions",
        {},
        opens &&
          h(
            "a.button",
            { href: `#/${opens}?model=${place}`, "aria-label": `Open ${model.name}` },
            "Open",
          ),
        button("Card", "", () => this.open(model), { "aria-label": `Card of ${model.name}` }),
        download(`Export ${model.name}`, `/api/v1/models/${place}/export`, {
          quiet: true,
          name: `${model.name}.zip`,
        }),
        model.origin === "imported" &&
          careful(
            `Delete ${model.name}`,
            `Delete ${model.name} for good?`,
            () => this.drop(model),
            { quiet: true },
          ),
      ),
    );
  }

  async open(model) {
    try {
      const card = await get(`/models/${encodeURIComponent(model.name)}`);
      const text = markdown(card.card);
      text.querySelector("h3")?.remove();
      this.dialog.replaceChildren(
        h(
          "header",
          {},
          h("h2", { id: "card-title" }, model.name),
          button("Close", "close", () => this.dialog.close(), { quiet: true }),
        ),
        h(
          "dl.small-facts.wide-facts",
          {},
          fact("Trained on", card.trained_on),
          fact("Made", card.created),
          fact("Licence", card.licence),
        ),
        text,
      );
      this.dialog.showModal();
      this.dialog.scrollTop = 0;
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async bring(file) {
    this.trouble.replaceChildren(h("p.soft", {}, `Importing ${file.name}…`), bar(0, "Importing"));
    try {
      const { name } = await post("/models", { file: (await upload(file)).id });
      this.trouble.replaceChildren();
      forget();
      say(`${name} is imported`);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  async drop(model) {
    try {
      await remove(`/models/${encodeURIComponent(model.name)}`);
      forget();
      say(`${model.name} is deleted`);
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

customElements.define("volute-models", Models);
