/** Numbers, times and names as people read them. */

const SIZES = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  let step = 0;
  while (count >= 999.5 && step < SIZES.length - 1) {
    count /= 1000;
    step += 1;
  }
  return `${step && count < 9.95 ? count.toFixed(1) : Math.round(count)} ${SIZES[step]}`;
}

export const number = (value) => Math.round(value).toLocaleString("en");

export function short(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} million`;
  return number(value);
}

export function span(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export const plural = (count, one, many = `${one}s`) =>
  `${number(count)} ${count === 1 ? one : many}`;

export function percent(share) {
  if (share > 0 && share < 0.001) return "under 0.1 %";
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** A moment, in the reader's time. */
export function moment(text) {
  const then = new Date(text);
  if (Number.isNaN(then.getTime())) return text;
  const today = then.toDateString() === new Date().toDateString();
  return then.toLocaleString(
    "en-GB",
    today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" },
  );
}

export const KINDS = {
  gan: "Makes pictures",
  vae: "Makes pictures",
  style: "Paints",
  upscale: "Enlarges",
  lm: "Writes",
  classify: "Names what it sees",
  extractor: "Measures likeness",
  watermark: "Marks pictures",
  detector: "Finds made pictures",
};

export const DEEDS = {
  sample: "Making pictures",
  interpolate: "Making an animation",
  stylize: "Painting",
  upscale: "Enlarging",
  write: "Writing",
  check: "Looking at the data",
  train: "Training",
  export: "Making a model",
};

export const STATES = {
  waiting: "waiting",
  running: "at work",
  done: "done",
  failed: "failed",
  cancelled: "stopped",
  interrupted: "interrupted",
};
