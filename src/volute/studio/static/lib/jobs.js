/** All jobs of the studio, told over one WebSocket, and those that this page has asked for. */

import { away, get, post, Problem, socket } from "./api.js";

const ENDED = ["done", "failed", "cancelled", "interrupted"];
const PATIENCE_MS = 30_000;
const HELD = 64;

export const ended = (job) => ENDED.includes(job.state);

class Jobs extends EventTarget {
  /** `Job`s by ID, those that came last at the end. */
  known = new Map();
  here = true;
  #followers = new Map();
  #past = new Map();
  #wait = 500;

  /** Begin to listen; goes on by itself after the studio was away. */
  open() {
    const line = socket("/events");
    line.onopen = () => {
      this.#wait = 500;
      this.#present(true);
      this.refresh();
    };
    line.onmessage = ({ data }) => this.#take(JSON.parse(data));
    line.onclose = () => {
      this.#present(false);
      setTimeout(() => this.open(), this.#wait);
      this.#wait = Math.min(5000, this.#wait * 2);
    };
  }

  /** Ask for all jobs anew: after the page was opened, or events were lost. */
  async refresh() {
    try {
      for (const job of (await get("/jobs?limit=50")).reverse())
        this.#take({ type: "job", job: job.id, data: job });
      for (const id of this.#followers.keys()) await this.#catchUp(id);
    } catch {
      /* the socket tells that the studio is away */
    }
  }

  /**
   * Hear what happens to a job: `hears` has functions by the type of event.
   *
   * What has happened since it was asked for is told first. Returns what ends the listening.
   */
  follow(id, hears) {
    const all = this.#followers.get(id) ?? new Set();
    this.#followers.set(id, all.add(hears));
    for (const event of this.#past.get(id) ?? []) hears[event.type]?.(event.data);
    this.#past.delete(id);
    return () => {
      all.delete(hears);
      if (!all.size) this.#followers.delete(id);
    };
  }

  /**
   * Ask for a job and wait until it is done; `hears` as in `follow`, and `begun` with the job.
   *
   * @throws {Problem} as the job says, if it fails.
   */
  async run(path, request, hears = {}) {
    const asked = await post(path, request);
    hears.begun?.(asked);
    return this.end(asked.id, hears);
  }

  /** Wait until a job has ended. */
  end(id, hears = {}) {
    return new Promise((resolve, reject) => {
      let stop = () => {};
      const job = (now) => {
        hears.job?.(now);
        if (!ended(now)) return;
        setTimeout(() => stop());
        if (now.state === "done") resolve(now);
        else reject(reason(now));
      };
      stop = this.follow(id, { ...hears, job });
      if (!this.here) reject(away());
    });
  }

  /** Take up a job that was asked for before: what it has made so far is told first. */
  again(id, hears = {}) {
    const end = this.end(id, hears);
    this.#catchUp(id).catch(() => {});
    return end;
  }

  cancel(id) {
    return post(`/jobs/${id}/cancel`);
  }

  #take({ type, job, data }) {
    if (type === "lagged") {
      this.refresh();
      return;
    }
    if (type === "job") {
      this.known.delete(job);
      this.known.set(job, data);
      this.#changed();
    }
    if (type === "progress" && this.known.has(job)) {
      this.known.get(job).progress = data;
      this.#changed();
    }
    if (type === "result") this.dispatchEvent(new CustomEvent("result", { detail: data }));
    const followers = this.#followers.get(job);
    if (followers) for (const hears of [...followers]) hears[type]?.(data);
    else this.#hold(job, type, data);
  }

  /** Keep what is told of a job whose ID has not come back yet. */
  #hold(job, type, data) {
    if (!this.#past.has(job)) {
      this.#past.set(job, []);
      setTimeout(() => this.#past.delete(job), PATIENCE_MS);
      if (this.#past.size > HELD) this.#past.delete(this.#past.keys().next().value);
    }
    this.#past.get(job).push({ type, data });
  }

  /** The job is asked for before its results: one that has ended then makes no more of them. */
  async #catchUp(id) {
    const job = await get(`/jobs/${id}`);
    const { results } = await get(`/results?job=${id}&limit=500`);
    for (const one of results.reverse()) this.#take({ type: "result", job: id, data: one });
    const known = this.known.get(id);
    if (ended(job) || !known || !ended(known)) this.#take({ type: "job", job: id, data: job });
  }

  #changed() {
    if (this.soon) return;
    this.soon = requestAnimationFrame(() => {
      this.soon = 0;
      this.dispatchEvent(new Event("change"));
    });
  }

  #present(here) {
    this.here = here;
    this.dispatchEvent(new Event("presence"));
  }
}

/** Why a job did not end well. */
function reason(job) {
  if (job.problem) return new Problem(job.problem);
  if (job.state === "cancelled")
    return Object.assign(new Problem({ detail: "It was stopped" }), { name: "AbortError" });
  return new Problem({
    detail: "The studio was closed while it worked on this",
    hint: "Ask for it again.",
  });
}

export const jobs = new Jobs();
