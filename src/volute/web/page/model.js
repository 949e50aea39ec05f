// A volute model in the browser: tiles of bounded size through onnxruntime-web.
//
// The same arithmetic as the engine's: tiles are read with a halo of the network's radius, clipped
// at the picture's border, so that no seam is to be seen.

const RUNTIME = "node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
const TILE = 256; // side of a tile in pixels, without its halo
const LUMA = [0.299, 0.587, 0.114];
const CUBIC = 2; // radius of the cubic interpolation
const GRAIN = 0.02; // deviation, of -1 to 1, that what is measured has at least

export class MissingError extends Error {}

/** Load the model that lies in `folder`. */
export async function openModel(folder) {
  const about = await (await fetched(folder + "model.json")).json();
  const ort = await runtime(folder);
  const load = async (name) => new Uint8Array(await (await fetched(folder + name)).arrayBuffer());
  const graphs = await Promise.all(about.graphs.map(load));
  const weights = about.weights ? [{ path: about.weights, data: await load(about.weights) }] : [];
  const open = (graph, externalData) => ort.InferenceSession.create(graph, { externalData, logSeverityLevel: 3 });
  const first = await open(graphs[0], weights);
  const run = about.kind === "style" ? stylize : upscale;
  const parts = { ort, about, first, restyled: (data) => open(graphs[1], data) };
  return { about, run: (picture, target, how) => run(parts, picture, target, how) };
}

async function runtime(folder) {
  try {
    return await import(new URL(folder + RUNTIME, import.meta.url).href);
  } catch {
    throw new MissingError(
      "onnxruntime-web is missing, which runs the model. In the folder of this page, type: " +
        "npm install. Then serve the folder, for instance with: python3 -m http.server",
    );
  }
}

async function fetched(address) {
  const answer = await fetch(new URL(address, import.meta.url));
  if (!answer.ok) throw new Error(`${address} is missing (${answer.status}).`);
  return answer;
}

async function upscale({ ort, about, first }, picture, target, { tick }) {
  const { scale, channels } = about;
  const context = sized(target, picture.width * scale, picture.height * scale);
  const halo = Math.max(about.radius, CUBIC);
  const all = tiles(picture.width, picture.height, TILE, halo);
  for (const [index, tile] of all.entries()) {
    const rgb = block(picture, tile, (x) => x);
    const size = tile.w * tile.h;
    const seen = channels === 1 ? luma(rgb, size) : rgb;
    const signed = seen.map((value) => 2 * value - 1);
    const made = await once(ort, first, { picture: [signed, [1, channels, tile.h, tile.w]] });
    const unit = made.map((value) => (value + 1) / 2);
    const shown = channels === 1 ? recoloured(unit, rgb, seen, tile, scale) : unit;
    const wide = { w: tile.w * scale, h: tile.h * scale };
    const inner = { x: tile.inX * scale, y: tile.inY * scale };
    inner.w = tile.inW * scale;
    inner.h = tile.inH * scale;
    context.putImageData(cut(shown, wide, inner), (tile.x + tile.inX) * scale, (tile.y + tile.inY) * scale);
    tick((index + 1) / all.length);
  }
}

async function stylize({ ort, about, first, restyled }, picture, target, { style, tick }) {
  const { radius, multiple } = about;
  const context = sized(target, picture.width, picture.height);
  const code = Float32Array.from(about.styles[style]);
  const seen = grained(reduced(picture, about.measured, multiple));
  const border = up(seen.plain ? radius : about.border, multiple);
  const inputs = { code: [code, [1, code.length]], picture: [seen.data, [1, 3, seen.h, seen.w]] };
  const kernels = await once(ort, first, inputs);
  const data = new Uint8Array(kernels.buffer, kernels.byteOffset, kernels.byteLength);
  const network = await restyled([{ path: about.styleFile, data }]);
  const width = picture.width + 2 * border;
  const height = picture.height + 2 * border;
  const place = (length) => (x) => mirrored(Math.min(x, length + 2 * border - 1) - border, length);
  const all = tiles(up(width, multiple), up(height, multiple), TILE, up(radius, multiple));
  try {
    for (const [index, tile] of all.entries()) {
      const rgb = block(picture, tile, place(picture.width), place(picture.height));
      const signed = rgb.map((value) => 2 * value - 1);
      const made = await once(ort, network, { picture: [signed, [1, 3, tile.h, tile.w]] });
      const unit = made.map((value) => (value + 1) / 2);
      const inner = { x: tile.inX, y: tile.inY, w: tile.inW, h: tile.inH };
      const left = tile.x + tile.inX - border;
      const top = tile.y + tile.inY - border;
      context.putImageData(cut(unit, tile, inner), left, top); // what lies outside is left out
      tick((index + 1) / all.length);
    }
  } finally {
    await network.release();
  }
}

async function once(ort, session, inputs) {
  const feeds = {};
  for (const [name, [data, shape]] of Object.entries(inputs)) {
    feeds[name] = new ort.Tensor("float32", data, shape);
  }
  const made = await session.run(feeds);
  return made[session.outputNames[0]].data;
}

function sized(canvas, width, height) {
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d");
}

const up = (length, multiple) => Math.ceil(length / multiple) * multiple;

/** Return the tiles of a picture: the block that is read, and where in it the tile itself lies. */
export function tiles(width, height, side, halo) {
  const found = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const x = Math.max(0, left - halo);
      const y = Math.max(0, top - halo);
      const w = Math.min(width, left + side + halo) - x;
      const h = Math.min(height, top + side + halo) - y;
      const inW = Math.min(side, width - left);
      const inH = Math.min(side, height - top);
      found.push({ x, y, w, h, inX: left - x, inY: top - y, inW, inH });
    }
  }
  return found;
}

/** Return a block of a picture as planes of red, green and blue in [0, 1]. */
function block(picture, tile, placeX, placeY = placeX) {
  const size = tile.w * tile.h;
  const planes = new Float32Array(3 * size);
  for (let y = 0; y < tile.h; y++) {
    const row = placeY(tile.y + y) * picture.width;
    for (let x = 0; x < tile.w; x++) {
      const from = 4 * (row + placeX(tile.x + x));
      for (let c = 0; c < 3; c++) planes[c * size + y * tile.w + x] = picture.data[from + c] / 255;
    }
  }
  return planes;
}

/** Mirror a place beyond the border back into the picture; the edge itself is not repeated. */
function mirrored(x, length) {
  if (length === 1) return 0;
  const around = 2 * (length - 1);
  const within = ((x % around) + around) % around;
  return within < length ? within : around - within;
}

function luma(rgb, size) {
  const made = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    made[i] = LUMA[0] * rgb[i] + LUMA[1] * rgb[size + i] + LUMA[2] * rgb[2 * size + i];
  }
  return made;
}

/** Give an enlarged luma the colours of the small picture, by cubic interpolation. */
function recoloured(made, rgb, small, tile, scale) {
  const size = small.length;
  const wide = made.length;
  const rgbOut = new Float32Array(3 * wide);
  for (const c of [0, 2]) {
    const difference = small.map((value, i) => rgb[c * size + i] - value);
    const large = bicubic(difference, tile.w, tile.h, scale);
    for (let i = 0; i < wide; i++) rgbOut[c * wide + i] = made[i] + large[i];
  }
  for (let i = 0; i < wide; i++) {
    const rest = made[i] - LUMA[0] * rgbOut[i] - LUMA[2] * rgbOut[2 * wide + i];
    rgbOut[wide + i] = rest / LUMA[1];
  }
  return rgbOut;
}

/** Enlarge a plane: cubic convolution (Keys 1981, a = -0.5), edges repeated. */
function bicubic(plane, w, h, scale) {
  const across = new Float32Array(w * scale * h);
  for (let y = 0; y < h; y++) along(plane, y * w, 1, w, across, y * w * scale, 1, scale);
  const made = new Float32Array(w * scale * h * scale);
  const width = w * scale;
  for (let x = 0; x < width; x++) along(across, x, width, h, made, x, width, scale);
  return made;
}

function along(from, start, step, length, to, first, stride, scale) {
  for (let phase = 0; phase < scale; phase++) {
    const place = (phase + 0.5) / scale - 0.5;
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let tap = -CUBIC; tap <= CUBIC; tap++) {
        const at = Math.min(length - 1, Math.max(0, i + tap));
        sum += cubic(tap - place) * from[start + at * step];
      }
      to[first + (i * scale + phase) * stride] = sum;
    }
  }
}

function cubic(x) {
  const d = Math.abs(x);
  if (d < 1) return 1.5 * d ** 3 - 2.5 * d ** 2 + 1;
  return d < 2 ? -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2 : 0;
}

/** Return planes in [0, 1] as pixels, without their halo. */
function cut(unit, outer, inner) {
  const image = new ImageData(inner.w, inner.h);
  const size = outer.w * outer.h;
  for (let y = 0; y < inner.h; y++) {
    for (let x = 0; x < inner.w; x++) {
      const from = (inner.y + y) * outer.w + inner.x + x;
      const to = 4 * (y * inner.w + x);
      for (let c = 0; c < 3; c++) image.data[to + c] = 255 * unit[c * size + from];
      image.data[to + 3] = 255;
    }
  }
  return image;
}

/** Return a picture so small that the network can measure it: planes in [-1, 1]. */
function reduced(picture, pixels, multiple) {
  const { width, height, data } = picture;
  const longest = Math.floor(pixels / (2 * multiple));
  const step = Math.ceil(Math.max(Math.sqrt((height * width) / pixels), Math.max(height, width) / longest));
  const down = Math.min(step, height);
  const across = Math.min(step, width);
  const rows = Math.floor(height / down);
  const columns = Math.floor(width / across);
  const h = Math.max(2 * multiple, up(rows, multiple));
  const w = Math.max(2 * multiple, up(columns, multiple));
  const means = new Float32Array(3 * h * w);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const top = repeated(y, rows) * down;
      const left = repeated(x, columns) * across;
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let j = top; j < top + down; j++) {
          for (let i = left; i < left + across; i++) sum += data[4 * (j * width + i) + c];
        }
        means[(c * h + y) * w + x] = (2 * sum) / (255 * down * across) - 1;
      }
    }
  }
  return { data: means, h, w };
}

/** Add grain where a picture is so plain that nothing but its borders would be measured, and say so. */
function grained({ data, h, w }) {
  const plane = h * w;
  let variance = 0;
  for (let c = 0; c < 3; c++) {
    const part = data.subarray(c * plane, (c + 1) * plane);
    const mean = part.reduce((sum, value) => sum + value, 0) / plane;
    variance += part.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (3 * plane);
  }
  const lacking = GRAIN ** 2 - variance;
  if (lacking <= 0) return { data, h, w, plain: false };
  const strength = Math.sqrt(12 * lacking);
  return { data: data.map((value, place) => value + strength * (hashed(place) - 0.5)), h, w, plain: true };
}

/** Return a number in [0, 1) that is always the same for a place (MurmurHash3, fmix32). */
function hashed(place) {
  let mixed = place;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}

/** Mirror a place beyond the end back; the edge itself is repeated. */
function repeated(x, length) {
  const within = x % (2 * length);
  return within < length ? within : 2 * length - 1 - within;
}
