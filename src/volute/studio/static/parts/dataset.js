/** What to learn from: chosen or dropped, and looked at before anything is learned. */

import "./drop.js";
import { get, post, remove, send } from "../lib/api.js";
import { careful, h, icon, say, tell } from "../lib/dom.js";
import { choice } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { bar, working } from "../lib/tray.js";
import { bytes, plural } from "../lib/words.js";

const AT_ONCE = 4;
const HIDDEN = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$)/;

/** `<volute-dataset>`; fires `change`; `.value` is the name of what was chosen. */
export class Dataset extends HTMLElement {
  #checked = "";

  connectedCallback() {
    if (this.list) return;
    this.list = h("div", {});
    this.trouble = h("div", {});
    this.sending = h("div", {});
    this.report = h("div.stage", {});
    const folder = h("volute-drop", {
      label: "Drop a folder here, or choose one",
      hint: "Pictures, in folders by class if you like; or texts.",
      folder: true,
    });
    const files = h("volute-drop", {
      label: "Choose single files",
      multiple: true,
      class: "small",
    });
    for (const one of [folder, files])
      one.addEventListener("files", ({ detail }) => this.#bring(detail));
    this.folder = folder;
    this.append(
      h("h2", {}, "What to learn from"),
      this.trouble,
      this.list,
      folder,
      files,
      this.sending,
      this.report,
    );
    this.open();
  }

  get value() {
    return this.picker?.value ?? "";
  }

  async open(wanted = this.value) {
    try {
      this.found = await get("/datasets");
      const options = this.found.map(({ name, files, bytes: size, own }) => [
        name,
        [icon("folder"), h("b", {}, name.replace(/^data\//, ""))],
        `${files ? `${plural(files, "file")} · ` : ""}${bytes(size)}${own ? "" : " · in your workspace"}`,
      ]);
      this.picker = options.length
        ? choice({
            label: "Already here",
            kind: "cards",
            value: wanted,
            options,
            onchange: () => this.#changed(),
          })
        : null;
      this.picker?.classList.add("wide-cards");
      this.list.replaceChildren(...[this.picker].filter(Boolean));
      this.folder.classList.toggle("small", Boolean(this.picker));
      if (this.value) this.#changed();
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    if (this.value !== this.#checked) this.look();
  }

  /** Look at what was chosen: the report, what is left out, a contact sheet. */
  async look(text = this.text) {
    const name = this.value;
    if (!name) return;
    this.text = text;
    this.#checked = name;
    const place = this.report;
    const line = bar(0, "Looking at the data");
    place.replaceChildren(h("p.soft", {}, `Looking at ${name}…`), line);
    try {
      const { answer } = await jobs.run(
        "/datasets/check",
        { dataset: name, text: Boolean(text) },
        { progress: ({ fraction }) => line.fill(fraction) },
      );
      if (this.#checked === name) this.#told(answer);
    } catch (error) {
      if (this.#checked === name) {
        place.replaceChildren();
        tell(place, error);
      }
    }
  }

  #told({ lines = [], left_out: out = [], sheet = "" }) {
    const own = this.found.find(({ name }) => name === this.value)?.own;
    this.report.replaceChildren(
      h(
        "div.card.check",
        {},
        h("h3", {}, "What was found"),
        h(
          "ul.notes",
          {},
          lines.map((one) => h("li", {}, one)),
        ),
        out.length > 0 &&
          h(
            "details",
            {},
            h("summary", {}, `${plural(out.length, "file")} left out, and why`),
            h(
              "ul.notes",
              {},
              out.map((one) => h("li", {}, one)),
            ),
          ),
        sheet &&
          h("img.sheet", {
            src: sheet,
            alt: "Contact sheet: some of the pictures, as they will be learned from",
          }),
        own && careful("Delete these files", "Delete them for good?", () => this.#drop()),
      ),
    );
    say(lines.join(". "));
  }

  async #bring(files) {
    const wanted = files.filter(({ path }) => !HIDDEN.test(path));
    if (!wanted.length) {
      tell(this.trouble, {
        detail: "there are no files in it",
        hint: "Choose a folder with pictures or texts.",
      });
      return;
    }
    this.trouble.replaceChildren();
    const [top] = wanted[0].path.split("/");
    const folder = wanted.every(({ path }) => path.startsWith(`${top}/`));
    try {
      const { name } = await post("/datasets", { name: folder ? top.slice(0, 80) : "files" });
      await this.#sendAll(name, wanted, folder);
      await this.open(name);
    } catch (error) {
      tell(this.trouble, error);
    }
    this.sending.replaceChildren();
  }

  async #sendAll(name, files, folder) {
    const short = encodeURIComponent(name.replace(/^data\//, ""));
    const queue = [...files];
    let [sent, stopped] = [0, false];
    const place = h("div.state", {});
    this.sending.replaceChildren(place);
    const told = working(place, "Sending files", () => {
      stopped = true;
    });
    const one = async () => {
      for (let file = queue.shift(); file && !stopped; file = queue.shift()) {
        const path = folder ? file.path.split("/").slice(1).join("/") : file.path;
        await send(`/datasets/${short}/files?path=${encodeURIComponent(path)}`, file);
        sent += 1;
        told(sent / files.length, `${sent} of ${plural(files.length, "file")}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    say(stopped ? "Stopped" : `${plural(sent, "file")} sent`);
  }

  async #drop() {
    try {
      await remove(`/datasets/${encodeURIComponent(this.value.replace(/^data\//, ""))}`);
      this.report.replaceChildren();
      this.#checked = "";
      await this.open("");
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

customElements.define("volute-dataset", Dataset);
