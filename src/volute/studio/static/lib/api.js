/** The HTTP API: `docs/api.md` is its contract. */

import { bytes } from "./words.js";

export const ROOT = "/api/v1";

/** Sets this page apart from another that is open: the queue takes turns between them. */
export const CLIENT = crypto.getRandomValues(new Uint32Array(2)).join("");

/** An error as the API tells it: `detail` (what, where, why) and `hint` (what to do). */
export class Problem extends Error {
  constructor({ title = "Error", detail = "", hint = "", status = 0 }) {
    super(detail || title);
    Object.assign(this, { title, detail: detail || title, hint, status });
  }
}

export const away = () =>
  new Problem({
    detail: "The studio does not answer",
    hint: "If it was closed, start it again: volute studio",
  });

async function problem(answer) {
  try {
    return new Problem(await answer.json());
  } catch {
    return new Problem({
      detail: `the studio answered with ${answer.status}`,
      status: answer.status,
    });
  }
}

async function call(method, path, { json, body, signal } = {}) {
  const headers = { "X-Volute-Client": CLIENT };
  if (json !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address(path), {
      method,
      headers,
      signal,
      body: json === undefined ? body : JSON.stringify(json),
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : away();
  }
  if (!answer.ok) throw await problem(answer);
  return answer;
}

const address = (path) => (path.startsWith(ROOT) ? path : ROOT + path);

/** Return what is at a path. */
export const get = async (path, options) => (await call("GET", path, options)).json();

/** Send JSON, return JSON. */
export const post = async (path, json = {}, options = {}) =>
  (await call("POST", path, { json, ...options })).json();

/** Send JSON, return a picture. */
export const picture = async (path, json, options = {}) =>
  (await call("POST", path, { json, ...options })).blob();

export const remove = (path) => call("DELETE", path);

/** Send the bytes of a file; `told` hears how much of it has gone, 0 to 1. */
export function send(path, file, told = () => {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    request.setRequestHeader("X-Volute-Client", CLIENT);
    request.upload.onprogress = (event) => told(event.loaded / Math.max(1, event.total));
    request.onerror = () => reject(away());
    request.onload = () => {
      let answer = null;
      try {
        answer = request.responseText ? JSON.parse(request.responseText) : null;
      } catch {
        /* told below */
      }
      if (request.status < 300) resolve(answer);
      else
        reject(
          new Problem(
            answer ?? {
              detail: `the studio answered with ${request.status}`,
              status: request.status,
            },
          ),
        );
    };
    request.send(file);
  });
}

/** Upload a file; return its `FileInfo`. One that is too large is not even sent. */
export async function upload(file, told) {
  const { limits } = await about();
  if (file.size > limits.upload)
    throw new Problem({
      detail: `${file.name} has more than ${bytes(limits.upload)}`,
      hint: "volute on the command line has no such limit.",
      status: 413,
    });
  return send(`/files?name=${encodeURIComponent(file.name || "file")}`, file, told);
}

let whole = null;

/** What the studio is and can do; asked once. */
export function about() {
  whole ??= get("/about").catch((error) => {
    whole = null;
    throw error;
  });
  return whole;
}

let models = null;

/** The models at hand; asked once, and again after `forget`. */
export async function listModels(...kinds) {
  models ??= get("/models").catch((error) => {
    models = null;
    throw error;
  });
  const found = await models;
  return kinds.length ? found.filter((one) => kinds.includes(one.kind)) : found;
}

/** Ask for the models anew the next time: one has come or gone. */
export function forget() {
  models = null;
  window.dispatchEvent(new Event("models"));
}

/** A WebSocket of the API. */
export const socket = (path) =>
  new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${ROOT}${path}`);
