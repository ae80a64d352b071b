"use strict";

const at = (id) => document.getElementById(id);
let about = null;

async function ask(name, body) {
  const answer = await fetch(name, { method: "POST", body });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

function say(text, wrong = false) {
  at("state").textContent = text;
  at("state").classList.toggle("wrong", wrong);
}

function seedOf(id) {
  const value = Math.floor(Number(at(id).value));
  return Number.isFinite(value) && value >= 0 ? value : 0;
}

function place() {
  const numbers = {};
  for (const input of document.querySelectorAll("#numbers input")) {
    if (input.value !== "") numbers[input.dataset.index] = Number(input.value);
  }
  const point = (end) => ({
    seed: seedOf(end ? "seed-end" : "seed"),
    condition: about.classes ? at(end ? "class-end" : "class").value : "",
    numbers: about.classes ? {} : numbers,
  });
  const sliders = [...document.querySelectorAll("#directions input")];
  return {
    start: point(false),
    ...(at("walks").checked ? { end: point(true), share: Number(at("share").value), path: at("path").value } : {}),
    moves: sliders.map((slider) => Number(slider.value)),
    refine: at("refine").checked,
  };
}

// One request at a time: while a picture is drawn, only the newest wish is kept.
function newest(work) {
  let busy = false, wanted = false;
  return async function again() {
    wanted = true;
    if (busy) return;
    busy = true;
    while (wanted) {
      wanted = false;
      try { await work(); } catch (error) { say(error.message, true); }
    }
    busy = false;
  };
}

function show(image, blob) {
  const before = image.src;
  image.src = URL.createObjectURL(blob);
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

const draw = newest(async () => {
  const begin = performance.now();
  const answer = await ask("picture", JSON.stringify(place()));
  show(at("picture"), await answer.blob());
  at("picture").dataset.drawn = String(Number(at("picture").dataset.drawn || 0) + 1);
  say(`${about.shape.slice(1).join(" × ")} pixels, drawn in ${Math.round(performance.now() - begin)} ms`);
  const step = about.newest ? "" : ` --step ${about.step}`;
  at("again").value = `gantk sample ${about.typed}${step} --noise noise.npy` +
    `${at("refine").checked ? "" : " --no-refiner"} -o picture.png`;
});

const drawStrip = newest(async () => {
  if (at("walks").checked) show(at("strip"), await (await ask("strip", JSON.stringify(place()))).blob());
});

function changed() { draw(); drawStrip(); }

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function figure(source, caption) {
  const whole = document.createElement("figure"), image = document.createElement("img");
  image.src = source;
  image.alt = caption;
  const text = document.createElement("figcaption");
  text.textContent = caption;
  whole.append(image, text);
  return whole;
}

function shown(title, figures) {
  at("found").hidden = false;
  at("found").querySelector("h2").textContent = title;
  at("found").querySelector(".images").replaceChildren(...figures);
}

function showNearest(found, title) {
  shown(title, found.images.map((source, n) => figure(source, `no. ${found.indices[n]}: ${found.distances[n]}`)));
}

async function dropped(file) {
  if (!file) return;
  say(`reading ${file.name} …`);
  try {
    if (about.codes) {
      const found = await (await ask("reconstruction", file)).json();
      shown("Your image, and the image generated from its code", [
        figure(found.image, "your image"), figure(found.again, `generated again: mean absolute error ${found.error}`),
      ]);
    } else {
      showNearest(await (await ask("nearest-dropped", file)).json(),
        "The training images nearest to your image (root mean square of pixels, 0 to 255)");
    }
    say("");
  } catch (error) { say(error.message, true); }
}

function slider(number) {
  const label = document.createElement("label"), input = document.createElement("input");
  const value = document.createElement("output");
  Object.assign(input, { type: "range", min: "-4", max: "4", step: "0.05", value: "0", id: `direction-${number}` });
  value.textContent = "0";
  input.addEventListener("input", () => { value.textContent = input.value; changed(); });
  label.append(`Direction ${number + 1}`, input, value);
  return label;
}

function number(index) {
  const label = document.createElement("label"), input = document.createElement("input");
  Object.assign(input, { type: "number", step: "0.1" });
  input.dataset.index = String(index);
  input.addEventListener("input", changed);
  label.append(String(index), input);
  return label;
}

function prepare() {
  at("run").textContent = about.run;
  document.title = `${about.run}: gantk explore`;
  at("about").textContent = [about.title, `step ${about.step}`, `noise: ${about.noise}`].filter(Boolean).join("; ");
  for (const label of document.querySelectorAll("[data-class]")) label.hidden = !about.classes;
  for (const id of ["class", "class-end"]) {
    at(id).append(...(about.classes || []).map((name) => new Option(name, name)));
    at(id).addEventListener("change", changed);
  }
  for (const label of document.querySelectorAll("[data-refiner]")) label.hidden = !about.refiner;
  at("directions").append(...Array.from({ length: about.directions }, (_, n) => slider(n)));
  if (!about.classes && about.condition) {
    at("condition").hidden = false;
    at("numbers").append(...Array.from({ length: about.condition }, (_, n) => number(n)));
  }
  const figures = Object.entries(about.figures);
  at("figures").hidden = !figures.length;
  for (const [name, value] of figures) {
    const row = at("figures").querySelector("tbody").insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = Number(value.toPrecision(4));
  }
}

function listen() {
  for (const id of ["seed", "seed-end", "path", "refine"]) at(id).addEventListener("input", changed);
  at("share").addEventListener("input", () => {
    at("share").nextElementSibling.textContent = at("share").value;
    draw();
  });
  at("walks").addEventListener("change", () => { at("walk").hidden = !at("walks").checked; changed(); });
  for (const [button, id] of [["random", "seed"], ["random-end", "seed-end"]]) {
    at(button).addEventListener("click", () => { at(id).value = Math.floor(Math.random() * 1e6); changed(); });
  }
  at("center").addEventListener("click", () => {
    for (const input of document.querySelectorAll("#directions input")) {
      input.value = 0;
      input.nextElementSibling.textContent = "0";
    }
    changed();
  });
  at("save-picture").addEventListener("click", async () => {
    save(await (await ask("picture", JSON.stringify(place()))).blob(), "picture.png");
  });
  at("save-noise").addEventListener("click", async () => {
    save(await (await ask("noise", JSON.stringify(place()))).blob(), "noise.npy");
  });
  at("find-nearest").addEventListener("click", async () => {
    say("searching …");
    try {
      showNearest(await (await ask("nearest", JSON.stringify(place()))).json(),
        "The nearest training images (root mean square of pixels, 0 to 255)");
      say("");
    } catch (error) { say(error.message, true); }
  });
  at("file").addEventListener("change", () => dropped(at("file").files[0]));
  const zone = at("drop");
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    dropped(event.dataTransfer.files[0]);
  });
}

(async () => {
  try {
    say("finding directions …");
    about = await (await ask("about", "")).json();
    prepare();
    listen();
    changed();
  } catch (error) { say(error.message, true); }
})();
