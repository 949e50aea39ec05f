/** Fields of forms: each is a labelled native control, with its `value`. */

import { h, icon, present } from "./dom.js";

let count = 0;
const fresh = () => `f${(count += 1)}`;

/** A slider: `.value` is a number, and `.value = 3` moves it. */
export function slider({
  label,
  hint = "",
  min,
  max,
  step,
  value,
  shown = String,
  onmove = () => {},
}) {
  const id = fresh();
  const input = h("input", {
    id,
    type: "range",
    min,
    max,
    step,
    value,
    "aria-describedby": hint && `${id}-hint`,
  });
  const output = h("output", { for: id });
  const show = () => {
    output.textContent = shown(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    input.style.setProperty("--at", (input.value - min) / (max - min));
  };
  input.addEventListener("input", () => {
    show();
    onmove(Number(input.value));
  });
  show();
  const field = h(
    "div.field",
    {},
    h("div.pair", {}, h("label", { for: id }, label), output),
    input,
    hint && h("p.hint", { id: `${id}-hint` }, hint),
  );
  return own(
    field,
    input,
    () => Number(input.value),
    (now) => {
      input.value = now;
      show();
    },
  );
}

/** A choice of a few: `options` is `[[value, words, more], ...]`. */
export function choice({ label, options, value, kind = "segments", onchange = () => {} }) {
  const name = fresh();
  const group = h(
    `fieldset.${kind}`,
    {},
    h("legend", {}, label),
    h(
      "div",
      {},
      options.map(([of, words, more]) =>
        h(
          "label",
          {},
          h("input", { type: "radio", name, value: of, checked: String(of) === String(value) }),
          h("span", {}, present([words]), more && h("small", {}, more)),
        ),
      ),
    ),
  );
  const inputs = [...group.querySelectorAll("input")];
  group.addEventListener("change", () => onchange(group.value));
  Object.defineProperty(group, "value", {
    get: () => inputs.find((one) => one.checked)?.value ?? "",
    set: (now) =>
      inputs.forEach((one) => {
        one.checked = one.value === String(now);
      }),
  });
  return group;
}

/** A list to choose from: `options` is `[[value, words], ...]`. */
export function select({ label, options, value = "", onchange = () => {} }) {
  const id = fresh();
  const input = h(
    "select",
    { id },
    options.map(([of, words]) => h("option", { value: of, selected: of === value }, words)),
  );
  input.addEventListener("change", () => onchange(input.value));
  const field = h("div.field", {}, h("label", { for: id }, label), input);
  return own(
    field,
    input,
    () => input.value,
    (now) => {
      input.value = now;
    },
  );
}

/** A line of text, or a number; `extra` stands beside it. */
export function line({ label, hint = "", type = "text", value = "", extra = null, ...rest }) {
  const id = fresh();
  const input = h("input", { id, type, value, ...rest, "aria-describedby": hint && `${id}-hint` });
  const field = h(
    "div.field",
    {},
    h("label", { for: id }, label),
    h("div.row", {}, input, extra),
    hint && h("p.hint", { id: `${id}-hint` }, hint),
  );
  const read = () => (type === "number" ? Number(input.value || 0) : input.value);
  return own(field, input, read, (now) => {
    input.value = now;
  });
}

/** Yes or no: `.value` is a boolean. */
export function toggle({ label, hint = "", value = false, onchange = () => {} }) {
  const id = fresh();
  const input = h("input", {
    id,
    type: "checkbox",
    checked: value,
    "aria-describedby": hint && `${id}-hint`,
  });
  input.addEventListener("change", () => onchange(input.checked));
  const field = h(
    "div.field.toggle",
    {},
    input,
    h("label", { for: id }, label),
    hint && h("p.hint", { id: `${id}-hint` }, hint),
  );
  return own(
    field,
    input,
    () => input.checked,
    (now) => {
      input.checked = now;
    },
  );
}

/** A seed with dice. */
export function seed(value = 0) {
  const dice = h(
    "button.round",
    { type: "button", "aria-label": "Another seed", title: "Another seed" },
    icon("dice"),
  );
  const field = line({
    label: "Seed",
    hint: "The same seed makes the same pictures.",
    type: "number",
    min: 0,
    step: 1,
    value,
    extra: dice,
  });
  dice.addEventListener("click", () => {
    field.value = crypto.getRandomValues(new Uint32Array(1))[0] % 100_000;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  return field;
}

function own(field, input, get, set) {
  Object.defineProperty(field, "value", { get, set });
  field.input = input;
  return field;
}

/** Choose a model in a view that has a `picker`, at once or when it is there. */
export function wish(view, model) {
  view.wanted = model ?? view.wanted;
  if (model && view.picker) {
    view.picker.value = model;
    view.chosen();
  }
}
