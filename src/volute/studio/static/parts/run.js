/** One training: its curves, what it makes over time, how it goes in words, and what can be done. */

import "./chart.js";
import "./moments.js";
import { forget, get, post, remove } from "../lib/api.js";
import { button, careful, h, icon, say, tell } from "../lib/dom.js";
import { choice } from "../lib/fields.js";
import { jobs } from "../lib/jobs.js";
import { bar } from "../lib/tray.js";
import { number, percent, span } from "../lib/words.js";

const EVERY_MS = 1500;
const OPENS = { gan: "create", vae: "create", style: "style", upscale: "enlarge", lm: "write" };
const VERDICTS = {
  OK: ["Going well", "good", "check"],
  WATCH: ["Watch it", "watch", "warn"],
  STOP: ["Better stop", "bad", "stop"],
};
const LOOKS = {
  gan: "Left: the data. Right: made, from the same noise each time.",
  vae: "Left: the data. Right: rebuilt above, made below.",
  upscale: "Left: the data. Right: made small, and enlarged again.",
  style: "Left: the data. Right: painted like each of the paintings in turn.",
  classify: "Left: the data. Right: in a white frame what was named rightly.",
  extractor: "Left: the data. Right: what it sees, as colours.",
};
const STATES = { running: "learning", stopped: "stopped", done: "done" };

/** `<volute-run>`: `open(id, job)`; fires `changed` when the list of runs has. */
export class Run extends HTMLElement {
  connectedCallback() {
    if (this.chart) return;
    this.trouble = h("div", {});
    this.heading = h("h2", { tabindex: "-1" });
    this.facts = h("p.soft", {});
    this.chart = h("volute-chart", {});
    this.moments = h("volute-moments", {});
    this.side = h("aside.panel", { "aria-label": "This training" });
    this.append(
      h(
        "div.work",
        {},
        h(
          "div.stage",
          {},
          this.trouble,
          h("div", {}, this.heading, this.facts),
          h("section.card", { "aria-label": "Curves" }, this.chart),
          h("section.card", { "aria-label": "What it makes" }, this.moments),
        ),
        this.side,
      ),
    );
  }

  disconnectedCallback() {
    this.#quit();
  }

  /** Show a run; `job` is its training, where it has only begun: there is nothing to see before its first step. */
  open(id, job = "") {
    this.#quit();
    Object.assign(this, { id, job: "", detail: null });
    this.trouble.replaceChildren();
    this.heading.textContent = id;
    this.chart.draw([]);
    this.moments.clear();
    this.side.replaceChildren(h("p.soft", {}, "Getting ready…"), bar(0, "Getting ready"));
    if (job) this.#follow(job);
    else this.refresh();
  }

  #quit() {
    this.stopFollowing?.();
    this.stopFollowing = null;
    clearTimeout(this.later);
    this.later = 0;
  }

  #follow(job) {
    if (this.job === job) return;
    this.stopFollowing?.();
    this.job = job;
    const soon = () => {
      this.later ||= setTimeout(() => {
        this.later = 0;
        this.refresh();
      }, EVERY_MS);
    };
    this.stopFollowing = jobs.follow(job, {
      note: ({ text }) => {
        if (!this.detail) this.facts.textContent = text;
      },
      progress: (now) => {
        this.progress = now;
        soon();
      },
      sample: soon,
      job: (now) => {
        if (now.problem) tell(this.trouble, now.problem);
        if (now.ended) {
          this.progress = null;
          forget();
        }
        if (this.detail || now.progress) soon();
        this.dispatchEvent(new Event("changed"));
      },
    });
  }

  async refresh() {
    const { id } = this;
    try {
      const detail = await get(`/runs/${encodeURIComponent(id)}`);
      if (id === this.id) this.#show(detail);
    } catch (error) {
      tell(this.trouble, error);
    }
  }

  #show(detail) {
    this.detail = detail;
    if (detail.job) this.#follow(detail.job);
    const last = detail.log.at(-1);
    this.heading.replaceChildren(
      detail.id,
      " ",
      h(`span.chip.${detail.state}`, {}, STATES[detail.state]),
    );
    this.facts.textContent = `${detail.kind} · ${detail.source} · ${detail.size ? `${detail.size} px · ` : ""}${detail.preset}`;
    this.chart.draw(detail.log);
    this.moments.show(detail.samples, LOOKS[detail.kind] ?? "");
    const budget = detail.budget_s;
    const share = Math.min(1, budget ? detail.seconds / budget : (this.progress?.fraction ?? 0));
    const [said, kind, sign] = VERDICTS[detail.doctor.verdict];
    const focused = this.side.contains(document.activeElement)
      ? document.activeElement.textContent
      : "";
    this.side.replaceChildren(
      h(
        "div.verdict",
        { "data-verdict": detail.doctor.verdict },
        h(`span.chip.${kind}`, {}, icon(sign), said),
        h("p", {}, detail.doctor.words),
        detail.doctor.try_next && h("p.hint", {}, `To try: ${detail.doctor.try_next}`),
      ),
      detail.state === "running"
        ? h(
            "div.field",
            {},
            h(
              "div.pair",
              {},
              h("span", {}, percent(share)),
              h("output", {}, budget ? `${span(Math.max(0, budget - detail.seconds))} left` : ""),
            ),
            bar(share, "Training"),
          )
        : "",
      h(
        "dl.small-facts",
        {},
        fact("Shown", number(detail.shown)),
        fact("Time", span(detail.seconds)),
        last?.rate ? fact("A second", number(last.rate)) : "",
      ),
      ...this.#actions(detail),
    );
    if (focused)
      [...this.side.querySelectorAll("button, a")]
        .find((one) => one.textContent === focused)
        ?.focus();
  }

  #actions({ state, resumable, model, kind, budget_s: budget }) {
    const made = [];
    if (model && OPENS[kind])
      made.push(
        h(
          "a.button.primary.wide-only",
          { href: `#/${OPENS[kind]}?model=${encodeURIComponent(model)}` },
          icon("check"),
          "Use it",
        ),
      );
    if (state === "running")
      made.push(
        button("Stop and save", "stop", (event) =>
          this.#do(event, "stop", "Stopping: it saves its state"),
        ),
      );
    if (state !== "done" || !model)
      made.push(
        button(
          model ? "Make the model anew" : "Use it now",
          "create",
          (event) => this.#use(event),
          { kind: model ? "" : "primary" },
        ),
      );
    if (resumable) {
      const left = this.detail.budget_s > this.detail.seconds + 5;
      this.more = choice({
        label: "Go on for",
        value: this.more?.value || (left ? "same" : "10"),
        options: [
          ...(left ? [["same", "The rest"]] : []),
          ["10", "10 min"],
          ["30", "30 min"],
          ["60", "1 h"],
        ],
      });
      made.push(
        this.more,
        button("Resume", "play", (event) => this.#resume(event, budget)),
      );
    }
    if (state !== "running")
      made.push(
        careful("Delete this training", "Delete it and its model for good?", () => this.#drop()),
      );
    return made;
  }

  async #do(event, deed, words) {
    event.currentTarget.disabled = true;
    try {
      await post(`/runs/${encodeURIComponent(this.id)}/${deed}`);
      say(words);
    } catch (error) {
      tell(this.trouble, error);
    }
    this.refresh();
  }

  async #resume(event, budget) {
    event.currentTarget.disabled = true;
    const more = this.more.value;
    const time =
      more === "same"
        ? ""
        : `${Math.ceil(Math.max(budget, this.detail.seconds) + Number(more) * 60)}s`;
    try {
      const job = await post(`/runs/${encodeURIComponent(this.id)}/resume`, { time });
      this.#follow(job.id);
      say("It goes on");
    } catch (error) {
      tell(this.trouble, error);
    }
    this.refresh();
  }

  /** Make a model of it as it is, and open that. */
  async #use(event) {
    event.currentTarget.disabled = true;
    say("Making a model of it");
    try {
      await jobs.run(`/runs/${encodeURIComponent(this.id)}/export`);
      forget();
      this.dispatchEvent(new Event("changed"));
      const { kind } = this.detail;
      if (OPENS[kind]) location.hash = `#/${OPENS[kind]}?model=${encodeURIComponent(this.id)}`;
      else location.hash = "#/models";
    } catch (error) {
      tell(this.trouble, error);
    }
    this.refresh();
  }

  async #drop() {
    try {
      await remove(`/runs/${encodeURIComponent(this.id)}`);
      forget();
      this.dispatchEvent(new CustomEvent("changed", { detail: "gone" }));
    } catch (error) {
      tell(this.trouble, error);
    }
  }
}

const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));

customElements.define("volute-run", Run);
