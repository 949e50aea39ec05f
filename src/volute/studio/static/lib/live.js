/** Frames there and back: painted on the way, over a WebSocket. */

import { away, Problem, socket } from "./api.js";

const REMEMBERED = 128;

/** A line to the painter. It hears `frame(blob, about)`, with the `moment` of the frame, `ready()`, `problem(error)` and `closed()`. */
export class Live {
  #sent = [];
  #last = -1;
  #shut = false;

  constructor(hears) {
    this.hears = hears;
  }

  /** Open it; the first message says how to paint. */
  open(start) {
    this.line = socket("/live");
    this.line.binaryType = "arraybuffer";
    this.line.onopen = () => this.set(start);
    this.line.onmessage = ({ data }) =>
      typeof data === "string" ? this.#told(JSON.parse(data)) : this.#frame(data);
    this.line.onclose = (event) => {
      if (!this.#shut && !this.failed)
        this.hears.problem?.(
          event.code === 1006
            ? away()
            : new Problem({ detail: "The painter has stopped", hint: "Start again." }),
        );
      this.hears.closed?.();
    };
    return this;
  }

  get open_() {
    return this.line?.readyState === WebSocket.OPEN;
  }

  /** Frames that are on the way. */
  get away() {
    return this.#sent.length - 1 - this.#last;
  }

  /** Paint in another way from now on. */
  set(start) {
    if (this.open_) this.line.send(JSON.stringify(start));
  }

  /** Send the pixels of an `ImageData`, as they are. */
  pixels({ width, height, data }) {
    const message = new Uint8Array(8 + data.length);
    message.set([86, 82, 65, 87, width & 255, width >> 8, height & 255, height >> 8]);
    message.set(data, 8);
    this.send(message);
  }

  /** Send a frame: the bytes of a JPEG or WebP, and the moment that it is of. */
  send(bytes, moment = performance.now()) {
    if (!this.open_) return;
    this.#sent.push(moment);
    this.line.send(bytes);
  }

  close() {
    this.#shut = true;
    this.line?.close();
  }

  #told(message) {
    if (message.type === "ready") this.hears.ready?.();
    if (message.type === "problem") {
      this.failed = true;
      this.hears.problem?.(new Problem(message.problem));
    }
  }

  #frame(data) {
    const length = new DataView(data).getUint32(0, true);
    const about = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.#last = about.index;
    about.moment = this.#sent[about.index] ?? performance.now();
    if (about.index > REMEMBERED) delete this.#sent[about.index - REMEMBERED];
    this.hears.frame(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }), about);
  }
}
