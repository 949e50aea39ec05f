/** A still picture, painted small and at once: a camera with one frame. */

import { Live } from "./live.js";

const SIDE = 640;

/** Paints what was opened each time that it is asked; only the newest wish counts. */
export class Preview {
  #live = null;
  #busy = false;
  #again = false;
  #pixels = null;

  /** `how()` says how to paint, `show(bitmap)` gets what was painted, `fail(error)` what went wrong. */
  constructor({ how, show, fail }) {
    Object.assign(this, { how, show, fail });
  }

  /** Begin with a picture. */
  open(still) {
    this.close();
    const scale = Math.min(1, SIDE / Math.max(still.naturalWidth, still.naturalHeight));
    const [width, height] = [still.naturalWidth, still.naturalHeight].map((side) =>
      Math.max(1, Math.round(side * scale)),
    );
    const taker = new OffscreenCanvas(width, height).getContext("2d");
    taker.drawImage(still, 0, 0, width, height);
    this.#pixels = taker.getImageData(0, 0, width, height);
    this.ask();
  }

  /** Paint it as is said now, when what is being painted has come. */
  ask() {
    this.#again = this.#busy;
    if (this.#busy || !this.#pixels) return;
    this.#busy = true;
    if (this.#live) this.#live.set(this.how());
    else this.#connect();
  }

  close() {
    this.#live?.close();
    this.#live = null;
    this.#busy = this.#again = false;
  }

  #connect() {
    const live = new Live({
      ready: () => live.pixels(this.#pixels),
      frame: async (blob) => {
        const bitmap = await createImageBitmap(blob);
        if (this.#live !== live) return;
        this.#busy = false;
        this.show(bitmap);
        if (this.#again) this.ask();
      },
      problem: (error) => {
        if (this.#live === live) {
          this.close();
          this.fail(error);
        }
      },
    });
    this.#live = live.open(this.how());
  }
}
