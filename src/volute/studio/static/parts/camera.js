/** The camera, painted as it comes: only its newest frame is sent, and at most two are on the way. */

import { button, h, say, tell } from "../lib/dom.js";
import { Live } from "../lib/live.js";
import { paint } from "../lib/redraw.js";
import "./compare.js";

const SIZE = { width: 480, height: 360 };
const AWAY = 2;
/** Frames a second to hold: the picture is as sharp as that allows. */
const FPS = 24;
/** A raw frame is twenty times as large: getting it out of the browser took most of the time. */
const PACKED = { type: "image/jpeg", quality: 0.85 };

/** `<volute-camera>`: `.how()` says how to paint; fires `taken` with a picture of it. */
export class Camera extends HTMLElement {
  connectedCallback() {
    if (this.video) return;
    this.video = h("video", { muted: true, playsinline: true, "aria-label": "The camera" });
    this.video.muted = true;
    this.canvas = h("canvas", { role: "img", "aria-label": "The camera, painted", ...SIZE });
    this.taker = new OffscreenCanvas(SIZE.width, SIZE.height).getContext("2d", {
      willReadFrequently: true,
    });
    this.compare = h("volute-compare", {});
    this.numbers = h("p.soft.grow", { "data-live": "" });
    this.trouble = h("div", {});
    this.toggle = button(
      "Start the camera",
      "camera",
      () => (this.stream ? this.stop() : this.start()),
      { kind: "primary" },
    );
    this.shot = button("Take a picture", "download", () => this.#take(), { disabled: true });
    this.append(
      this.trouble,
      this.compare,
      h("div.facts", {}, this.numbers, this.shot, this.toggle),
    );
    this.compare.show({
      before: this.video,
      after: this.canvas,
      ratio: 4 / 3,
      names: ["Camera", "Painted"],
    });
  }

  async start() {
    this.trouble.replaceChildren();
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { width: SIZE.width, height: SIZE.height, frameRate: { ideal: 30 } },
      });
    } catch (error) {
      tell(this.trouble, {
        detail:
          error.name === "NotAllowedError"
            ? "The browser may not use the camera"
            : "No camera was found",
        hint: "Allow it beside the address, or connect one, and start again.",
      });
      return;
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.live = new Live({
      frame: (blob, about) => this.#frame(blob, about),
      problem: (error) => {
        this.stop();
        tell(this.trouble, error);
      },
    });
    this.live.open({ ...this.how(), fps: FPS });
    this.#running(true);
    this.#next();
    say("The camera is on");
  }

  stop() {
    this.live?.close();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.live = this.video.srcObject = null;
    this.#running(false);
  }

  /** Paint in another way from now on. */
  change() {
    this.live?.set({ ...this.how(), fps: FPS });
  }

  #running(on) {
    this.toggle.querySelector("span").textContent = on ? "Stop the camera" : "Start the camera";
    this.shot.disabled = !on;
    this.numbers.textContent = on ? "Starting…" : "What the camera sees stays on this computer.";
  }

  #next() {
    if (!this.stream) return;
    this.video.requestVideoFrameCallback(() => {
      this.#send();
      this.#next();
    });
  }

  async #send() {
    const live = this.live;
    if (!live?.open_ || this.packing || live.away >= AWAY) return;
    const moment = performance.now();
    this.packing = true;
    this.taker.drawImage(this.video, 0, 0, SIZE.width, SIZE.height);
    const packed = await this.taker.canvas.convertToBlob(PACKED);
    live.send(await packed.arrayBuffer(), moment);
    this.packing = false;
  }

  async #frame(blob, about) {
    if (!this.stream) return;
    const bitmap = await createImageBitmap(blob);
    paint(this.canvas, bitmap);
    bitmap.close();
    const ms = Math.round(performance.now() - about.moment);
    Object.assign(this.dataset, { fps: about.fps, ms, frames: about.index, side: about.side });
    this.numbers.textContent = `${about.fps.toFixed(0)} frames a second · ${ms} ms from frame to picture · ${about.dropped} skipped`;
  }

  async #take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const whole = new OffscreenCanvas(width, height);
    whole.getContext("2d").drawImage(this.video, 0, 0);
    const blob = await whole.convertToBlob({ type: "image/png" });
    this.dispatchEvent(
      new CustomEvent("taken", { detail: new File([blob], "camera.png", { type: "image/png" }) }),
    );
  }
}

customElements.define("volute-camera", Camera);
