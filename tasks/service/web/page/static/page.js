"use strict";
// The form works without this file. With it photographs are answered as soon as they are chosen, dropped or pasted.
const form = document.querySelector("form");
const inputs = [...form.querySelectorAll("input[type=file]")];
const part = (id, page = document) => page.getElementById(id);
let asked = new AbortController();

const say = (sentence, kind) => {
  const line = document.createElement("p");
  line.textContent = sentence;
  line.className = kind;
  part("said").replaceChildren(line);
};

const draw = async (file, place) => {
  // Formats that this browser does not know are answered all the same, without a picture.
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return;
  const canvas = document.createElement("canvas");
  const scale = Math.min(1, 768 / Math.max(image.width, image.height));
  canvas.width = Math.max(1, image.width * scale);
  canvas.height = Math.max(1, image.height * scale);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "The photograph");
  place.replaceChildren(canvas);
};

const ask = async () => {
  const files = inputs.flatMap((input) => [...input.files]);
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  part("answer").replaceChildren();
  if (!files.length) return say("Choose a photograph first.", "problem");
  if (files.reduce((sum, file) => sum + file.size, 0) > form.dataset.mostBytes) return say(form.dataset.tooLarge, "problem");
  say("Looking at the photograph…", "working");
  try {
    const headers = { "X-Requested-With": "script" };
    const response = await fetch("/", { method: "POST", body: new FormData(form), headers, signal });
    if (!response.headers.get("content-type").startsWith("text/html")) {
      const problem = await response.json();
      const again = response.headers.has("retry-after") ? " Try again in a moment: your photograph is still chosen." : "";
      return say(`${problem.title}. ${problem.detail}${again}`, "problem");
    }
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (signal.aborted) return;
    for (const id of ["answer", "model", "said"]) part(id).replaceChildren(...part(id, page).childNodes);
    document.title = page.title;
    part("answer").scrollIntoView({ block: "nearest" });
    part("answer").querySelectorAll(".picture").forEach((place, number) => draw(files[number], place));
  } catch {
    if (!signal.aborted) say("The service cannot be reached. Try again in a moment: your photograph is still chosen.", "problem");
  }
};

const take = (files) => {
  const list = new DataTransfer();
  [...files].forEach((file) => list.items.add(file));
  if (!list.files.length) return;
  inputs.forEach((input) => (input.value = ""));
  inputs[0].files = list.files;
  ask();
};

// What somebody says of an answer stands in the place of its form, and is read out.
const tell = async (feedback, button) => {
  const fields = new URLSearchParams(new FormData(feedback));
  fields.append(button.name, button.value);
  const enable = (able) => feedback.querySelectorAll("button").forEach((other) => (other.disabled = !able));
  enable(false);
  try {
    const response = await fetch("/feedback", { method: "POST", body: fields });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const place = document.createElement("p");
    place.className = "spoken";
    place.tabIndex = -1;
    place.textContent = part("said", page).textContent;
    feedback.replaceWith(place);
    place.focus();
  } catch {
    enable(true);
    say("The service cannot be reached, and nothing was noted. Try again in a moment.", "problem");
  }
};

part("drop").hidden = false;
part("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  tell(event.target, event.submitter);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
inputs.forEach((input) =>
  input.addEventListener("change", () => {
    inputs.filter((other) => other !== input).forEach((other) => (other.value = ""));
    if (input.files.length) ask();
  }),
);
document.addEventListener("paste", (event) => take(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  form.classList.add("over");
});
document.addEventListener("dragleave", () => form.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  form.classList.remove("over");
  take(event.dataTransfer.files);
});
