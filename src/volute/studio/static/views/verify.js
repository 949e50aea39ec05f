/** Verify: what a file says of its origin, in three findings that are never made into one. */

import "../parts/drop.js";
import { post, upload } from "../lib/api.js";
import { button, capital, h, icon, say, tell, View } from "../lib/dom.js";
import { bar } from "../lib/tray.js";
import { bytes, moment } from "../lib/words.js";

const FINDINGS = {
  manifest: [
    "Manifest",
    "A signed record that travels with the file. Only its signer stands for it.",
  ],
  watermark: [
    "Watermark",
    "A mark in the pixels, or in the choice of words. It outlives most changes; it does not say who made it.",
  ],
  detector: [
    "Detector",
    "A network's guess from the pixels alone. It can be wrong in both directions.",
  ],
};
const STATES = {
  absent: ["No manifest", "", "question"],
  intact: ["Intact", "watch", "check"],
  trusted: ["Trusted", "good", "check"],
  broken: ["Broken", "bad", "warn"],
  found: ["Found", "good", "check"],
  none: ["Nothing found", "", "minus"],
  generated: ["Looks generated", "watch", "check"],
  unsure: ["Unsure", "", "question"],
  "no evidence": ["Nothing found", "", "minus"],
  "not-looked": ["Not looked for", "", "question"],
};
const SOURCES = {
  trainedAlgorithmicMedia: "made by a model",
  compositeWithTrainedAlgorithmicMedia: "made in part by a model",
  algorithmicallyEnhanced: "enhanced by an algorithm",
};
const ROLES = { parentOf: "From", inputTo: "With, as an input", componentOf: "With, as a part" };
const VERBS = {
  sample: "Sampled",
  interpolate: "Interpolated",
  stylize: "Painted",
  upscale: "Enlarged",
  write: "Written",
  reconstruct: "Reconstructed",
};

class Verify extends View {
  build() {
    this.trouble = h("div", {});
    this.place = h("div.stage", {});
    this.drop = h("volute-drop", {
      label: "Drop any file here, or choose it",
      hint: "Pictures, films, texts, scans, maps. It stays on this computer.",
    });
    this.drop.addEventListener("files", ({ detail }) => this.look(detail[0]));
    this.append(
      this.head(
        "Where does it come from?",
        "Three findings, each with what it rests on. None of them proves that a file is true.",
      ),
      h("div.stage", {}, this.trouble, this.place, this.drop),
    );
  }

  async look(file) {
    this.trouble.replaceChildren();
    this.place.replaceChildren(h("p.soft", {}, `Looking at ${file.name}…`), bar(0, "Looking"));
    try {
      const sent = await upload(file);
      const found = await post("/verify", { file: sent.id });
      const again = remade(found) && (await post("/again", { file: sent.id }).catch(() => null));
      this.show(file, sent, found, again);
      this.drop.classList.add("small");
      say(
        Object.keys(FINDINGS)
          .map(
            (name) =>
              `${FINDINGS[name][0]}: ${STATES[found[name].state]?.[0] ?? found[name].state}`,
          )
          .join(". "),
      );
    } catch (error) {
      this.place.replaceChildren();
      tell(this.trouble, error);
    }
  }

  show(file, sent, found, again) {
    const picture = sent.preview
      ? h("img", { src: `${sent.preview}?side=480`, alt: `What ${file.name} shows` })
      : null;
    picture?.addEventListener("error", () => picture.remove());
    this.place.replaceChildren(
      h(
        "div.subject",
        {},
        picture,
        h(
          "div",
          {},
          h("h2", {}, file.name),
          h("p.soft", {}, bytes(file.size)),
          found.known && known(found.known),
          again && button("Go on from this picture", "create", () => recall(again)),
        ),
      ),
      h(
        "div.findings",
        {},
        Object.keys(FINDINGS).map((name) => finding(name, found[name])),
      ),
      h(
        "section.card",
        { "aria-label": "History" },
        h("h2", {}, "History"),
        found.history
          ? h("ul.tree", {}, step(found.history, true))
          : h(
              "p.soft",
              {},
              "There is no manifest, so nothing is known of how this file came about.",
            ),
      ),
    );
  }
}

/** Whether the manifest says how to make a sample again. */
const remade = ({ history }) =>
  ["sample", "interpolate"].includes(history?.deed) && history.generation?.index !== undefined;

function finding(name, { state, words, values }) {
  const [title, about] = FINDINGS[name];
  const [said, kind, sign] = STATES[state] ?? [state, "", "question"];
  const place = values.place && values.place !== "none" ? ` It lies ${values.place} the file.` : "";
  return h(
    `section.card.finding`,
    { "aria-label": title, "data-state": state },
    h("header", {}, h("h2", {}, title), h(`span.chip${kind && `.${kind}`}`, {}, icon(sign), said)),
    h("p", {}, `${capital(words)}.${place}`),
    h("p.hint", {}, values.limits ?? about),
  );
}

/** What this computer's own ledger remembers. */
const known = ({ by, file, time, deed, model }) =>
  h(
    "p",
    {},
    `This computer made it: ${(VERBS[deed] ?? deed).toLowerCase()} with ${model}, ${moment(time)}, as ${file} (known by its ${by}).`,
  );

/** A file in the history, and below it what it was made from. */
function step(one, first) {
  const made = one.generation ?? {};
  const [said, kind, sign] = STATES[one.state] ?? [one.state, "", "question"];
  const title = one.deed
    ? `${VERBS[one.deed] ?? capital(one.deed)}${made.model ? ` with ${made.model}` : ""}`
    : first
      ? "This file"
      : "A file of unknown origin";
  const last = one.actions.findLast((action) => action.source) ?? one.actions.at(-1);
  const source = SOURCES[last?.source] ?? "";
  const facts = [
    source && capital(source),
    one.generator,
    one.signer && `signed by ${one.signer}`,
    (one.time || last?.time) && moment(one.time || last.time),
  ].filter(Boolean);
  const details = Object.entries(made).filter(
    ([key, value]) =>
      !["model", "sha256"].includes(key) && value !== null && value !== "" && value !== false,
  );
  return h(
    "li",
    {},
    h(
      "div",
      {},
      !first && h("small", {}, ROLES[one.role] ?? one.role),
      h("strong", {}, title, " ", h(`span.chip${kind && `.${kind}`}`, {}, icon(sign), said)),
      facts.length > 0 && h("span", {}, facts.join(" · ")),
      details.length > 0 &&
        h(
          "dl",
          {},
          details.map(([key, value]) =>
            h("div", {}, h("dt", {}, key.replaceAll("_", " ")), h("dd", {}, String(value))),
          ),
        ),
      one.reasons.length > 0 &&
        h(
          "ul.notes",
          {},
          one.reasons.map((reason) => h("li", {}, reason)),
        ),
    ),
    one.inputs.length > 0 &&
      h(
        "ul",
        {},
        one.inputs.map((input) => step(input, false)),
      ),
  );
}

async function recall({ request }) {
  location.hash = "#/create";
  await customElements.whenDefined("volute-create");
  const view = await waitFor("volute-create");
  await view.ready;
  view.explore(request.model, request.point);
}

async function waitFor(name) {
  for (;;) {
    const found = document.querySelector(name);
    if (found && !found.hidden) return found;
    await new Promise(requestAnimationFrame);
  }
}

customElements.define("volute-verify", Verify);
