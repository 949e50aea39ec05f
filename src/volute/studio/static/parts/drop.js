/** A place to drop files on, or to choose them with the keyboard. */

import { h, icon } from "../lib/dom.js";

/**
 * `<volute-drop>`; fires `files` with a list of `File`s; those of a folder have `path`.
 *
 * Attributes: `label`, `hint`, `accept`, `multiple`, `folder` (a folder is chosen).
 */
export class Drop extends HTMLElement {
  connectedCallback() {
    if (this.input) return;
    const of = (name) => this.getAttribute(name);
    this.input = h("input.hidden", {
      type: "file",
      accept: of("accept"),
      multiple: this.hasAttribute("multiple"),
      webkitdirectory: this.hasAttribute("folder"),
    });
    this.append(
      h(
        "label",
        {},
        this.input,
        icon(this.hasAttribute("folder") ? "folder" : "drop"),
        h("span", {}, h("strong", {}, of("label")), of("hint") && h("small", {}, of("hint"))),
      ),
    );
    this.input.addEventListener("change", () => {
      this.#give(
        [...this.input.files].map((file) => named(file, file.webkitRelativePath || file.name)),
      );
      this.input.value = "";
    });
    this.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.classList.add("over");
    });
    this.addEventListener("dragleave", () => this.classList.remove("over"));
    this.addEventListener("drop", (event) => this.#dropped(event));
  }

  async #dropped(event) {
    event.preventDefault();
    event.stopPropagation();
    this.classList.remove("over");
    const entries = [...event.dataTransfer.items]
      .map((item) => item.webkitGetAsEntry?.())
      .filter(Boolean);
    const files = entries.length
      ? (await Promise.all(entries.map(within))).flat()
      : [...event.dataTransfer.files].map((file) => named(file, file.name));
    this.#give(
      this.hasAttribute("multiple") || this.hasAttribute("folder") ? files : files.slice(0, 1),
    );
  }

  #give(files) {
    this.nothing?.remove();
    if (files.length) {
      this.dispatchEvent(new CustomEvent("files", { detail: files, bubbles: true }));
      return;
    }
    this.nothing = h("small", { role: "alert" }, "There is no file in it.");
    this.querySelector("label > span").append(this.nothing);
  }
}

function named(file, path) {
  file.path = path;
  return file;
}

/** All files in what was dropped, with their paths. */
async function within(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [named(file, entry.fullPath.slice(1))];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(within))).flat());
  }
}

customElements.define("volute-drop", Drop);
