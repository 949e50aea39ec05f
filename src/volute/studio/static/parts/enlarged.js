/** One file, before and after it was enlarged, and what was invented on the way. */

import "./compare.js";
import { button, capital, download, h, tell } from "../lib/dom.js";
import { toggle } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { bar } from "../lib/tray.js";
import { bytes, percent } from "../lib/words.js";

const INSIDE = ["photo", "video"];

/**
 * `<volute-enlarged>`: `show(item)`.
 *
 * An item has `source` (a File), `file` (FileInfo), `state`, `before`, `after`, `map` (images or
 * nothing), `made` (Result), `scale`, `share`, `job`, `error`; `bar` is set to its bar of progress.
 */
export class Enlarged extends HTMLElement {
  show(item) {
    this.replaceChildren();
    if (item.error) {
      tell(this, item.error);
      return;
    }
    if (item.before) this.#compare(item);
    else
      this.append(
        h(
          "p.soft",
          {},
          item.state === "reading"
            ? `Reading ${item.name}…`
            : `${item.name}: there is no picture of it to show here.`,
        ),
      );
    this.append(this.#facts(item));
    if (item.state === "done") this.append(...measures(item.made.about));
  }

  #compare(item) {
    const { before, after, map } = item;
    this.compare = h("volute-compare", {});
    this.append(this.compare);
    this.compare.show({
      before,
      after,
      map,
      ratio: before.naturalWidth / before.naturalHeight,
      names: ["Before", `${item.scale ?? 2} times larger`],
    });
    this.compare.mapped = Boolean(map && item.mapped);
  }

  #facts(item) {
    const facts = h(
      "div.facts",
      {},
      h("p.soft.grow", {}, `${item.name} · ${bytes(item.source.size)}`),
    );
    if (item.state === "working") {
      item.bar = bar(item.share ?? 0, `Enlarging ${item.name}`);
      facts.append(
        item.bar,
        button(
          "Stop",
          "stop",
          () => item.job && jobs.cancel(item.job).catch((error) => tell(this, error)),
        ),
      );
    }
    if (item.state !== "done") return facts;
    if (item.map)
      facts.append(
        toggle({
          label: "Show what was invented",
          value: item.mapped,
          onchange: (on) => {
            item.mapped = on;
            this.compare.mapped = on;
          },
        }),
      );
    const { id, name, file, bytes: size } = item.made;
    if (!INSIDE.includes(item.file.kind))
      facts.append(
        download("Manifest", `/api/v1/results/${id}/manifest`, { name: `${name}.c2pa` }),
      );
    facts.append(
      download(`Download (${bytes(size)})`, `${file}?download=true`, { kind: "primary", name }),
    );
    return facts;
  }
}

/** What was measured, and what is to be known. */
function measures({ psnr_db: psnr, invented, notes = [] }) {
  const made = [];
  if (invented !== undefined) {
    const like = psnr === null ? "it equals the source" : `it is like the source by ${psnr} dB`;
    made.push(
      h(
        "p",
        {},
        `${capital(percent(invented))} of the pixels contradict the source; made small again, ${like}.`,
      ),
    );
  }
  if (notes.length)
    made.push(
      h(
        "ul.notes",
        {},
        notes.map((note) => h("li", {}, note)),
      ),
    );
  return made;
}

customElements.define("volute-enlarged", Enlarged);
