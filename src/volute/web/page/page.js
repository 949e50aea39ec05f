// The page: a picture in, what the model makes of it out.
import { MissingError, openModel } from "./model.js";

const at = (id) => document.getElementById(id);
const say = (text) => (at("state").textContent = text);

async function start() {
  const model = await openModel("./");
  document.title = model.about.name;
  document.querySelector("h1").textContent = model.about.name;
  for (const name of Object.keys(model.about.styles ?? {})) at("style").append(new Option(name));
  at("styled").hidden = !model.about.styles;
  at("file").addEventListener("change", () => guarded(() => work(model)));
  at("style").addEventListener("change", () => guarded(() => work(model)));
  at("file").disabled = false;
  say("Choose a picture.");
}

async function work(model) {
  const [file] = at("file").files;
  if (!file) return;
  lock(true);
  const begun = performance.now();
  const picture = await pixelsOf(file);
  const target = at("made");
  const shares = (share) => (at("progress").value = share);
  await model.run(picture, target, { style: at("style").value, tick: shares });
  const blob = await new Promise((done) => target.toBlob(done));
  URL.revokeObjectURL(at("save").href);
  at("save").href = URL.createObjectURL(blob);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  lock(false);
  at("save").hidden = false;
  say(`${target.width} x ${target.height} px in ${seconds} s.`);
}

function lock(busy) {
  at("file").disabled = at("style").disabled = busy;
  at("progress").hidden = !busy;
  if (busy) say("Working.");
}

async function pixelsOf(file) {
  const image = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // what is transparent lies on white
  context.fillRect(0, 0, image.width, image.height);
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

async function guarded(call) {
  try {
    await call();
  } catch (error) {
    lock(false);
    at("file").disabled = error instanceof MissingError;
    say(error instanceof MissingError ? error.message : `It did not work: ${error.message}`);
  }
}

guarded(start);
