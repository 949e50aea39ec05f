/** What is at work, in all views: a button that counts it, and a list. */

import { button, h, icon, say, tell } from "./dom.js";
import { ended } from "./jobs.js";
import { DEEDS, percent, span, STATES } from "./words.js";

const SHOWN = 12;

/** Wire the button and the list of the page to the jobs. */
export function tray(jobs) {
  const toggle = document.getElementById("activity");
  const words = document.getElementById("activity-text");
  const place = document.getElementById("tray");
  const open = (now) => {
    place.hidden = !now;
    toggle.setAttribute("aria-expanded", String(now));
    if (now) draw();
  };
  const draw = () => {
    const all = [...jobs.known.values()];
    const busy = all.filter((job) => !ended(job)).length;
    words.textContent = busy ? `Activity: ${busy}` : "Activity";
    toggle.classList.toggle("busy", busy > 0);
    if (!place.hidden) fill(place, all.reverse().slice(0, SHOWN), jobs, () => open(false));
  };
  toggle.addEventListener("click", () => open(place.hidden));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !place.hidden) {
      open(false);
      toggle.focus();
    }
  });
  document.addEventListener("pointerdown", (event) => {
    if (!place.hidden && !place.contains(event.target) && !toggle.contains(event.target))
      open(false);
  });
  jobs.addEventListener("change", draw);
}

function fill(place, shown, jobs, close) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.of : null;
  place.replaceChildren(
    h("header", {}, h("h2", {}, "Activity"), button("Close", "close", close, { quiet: true })),
    shown.length
      ? h(
          "ul",
          {},
          shown.map((job) => row(job, jobs)),
        )
      : h(
          "p.soft",
          {},
          "Nothing yet. What you start shows here, and goes on if you close the page.",
        ),
  );
  if (focused) place.querySelector(`[data-of="${focused}"]`)?.focus();
}

function row(job, jobs) {
  const share = job.progress?.fraction ?? 0;
  const left = job.progress?.left_s ? `, ${span(job.progress.left_s)} left` : "";
  const state = job.state === "running" && share ? `${percent(share)}${left}` : STATES[job.state];
  const trouble = h("div", {});
  const stop = () =>
    jobs.cancel(job.id).then(
      () => say("Stopping"),
      (error) => tell(trouble, error),
    );
  return h(
    "li",
    {},
    h(`span.dot.${job.state}`, { "aria-hidden": "true" }, job.state === "done" && icon("check")),
    h(
      "div",
      {},
      h("strong", {}, DEEDS[job.kind] ?? job.kind),
      h("small", {}, state, job.request.model ? ` · ${job.request.model}` : ""),
      job.problem && h("small.bad", {}, job.problem.detail),
      job.state === "running" && bar(share, DEEDS[job.kind]),
      trouble,
    ),
    !ended(job) &&
      button(`Stop ${DEEDS[job.kind] ?? job.kind}`, "stop", stop, {
        quiet: true,
        "data-of": job.id,
      }),
  );
}

/** A bar of progress, with `fill(share)`; 0 is not known. */
export function bar(share, label) {
  const inner = h("i", {});
  const made = h(
    "div.progress",
    { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    inner,
  );
  made.fill = (now) => {
    inner.style.setProperty("--at", now);
    made.classList.toggle("unknown", !(now > 0));
    if (now > 0) made.setAttribute("aria-valuenow", Math.round(now * 100));
    else made.removeAttribute("aria-valuenow");
  };
  made.fill(share);
  return made;
}

/** Show that something is at work, and how to stop it; returns what says how far it is: `(share, words)`. */
export function working(place, label, stop) {
  const [words, line] = [h("p", {}, `${label}…`), bar(0, label)];
  place.replaceChildren(words, button("Stop", "stop", stop), line);
  return (share, now) => {
    line.fill(share);
    if (now) words.textContent = now;
  };
}
