/** Pictures while something moves: only the newest that was asked for is drawn. */

import { picture } from "./api.js";

/** Asks for one picture at a time, and then for the newest that is wanted. */
export class Redrawer {
  #wanted = null;
  #busy = false;

  /** `show(bitmap, ms)` gets each picture and how long it took, `fail(error)` what went wrong. */
  constructor(show, fail) {
    this.show = show;
    this.fail = fail;
  }

  ask(request) {
    this.#wanted = request;
    if (!this.#busy) this.#go();
  }

  async #go() {
    this.#busy = true;
    while (this.#wanted) {
      const request = this.#wanted;
      this.#wanted = null;
      const began = performance.now();
      try {
        const bitmap = await createImageBitmap(await picture("/redraw", request));
        this.show(bitmap, performance.now() - began);
      } catch (error) {
        this.fail(error);
      }
    }
    this.#busy = false;
  }
}

/** Show a bitmap on a canvas, at its own size. */
export function paint(canvas, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
}
