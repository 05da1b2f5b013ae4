// Rating: show what is to be judged, record the answer, show the next. The next pair is fetched, and its
// pictures loaded, while this one is being looked at.

const RETRIES = 4;
const root = document.querySelector("[data-rating]");
const stage = root.querySelector("[data-stage]");
const status = root.querySelector("[data-status]");
const { kind } = root.dataset;
let coming = null;
let isBusy = true;

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The rater's name and count stay in this browser; where it keeps nothing, they last for the page.
const memory = {};
function remember(name, value) {
  memory[name] = value;
  try { localStorage.setItem(name, value); } catch { /* private browsing */ }
}
function recall(name) {
  try { return localStorage.getItem(name) ?? memory[name]; } catch { return memory[name]; }
}
function rater() {
  if (!recall("rater")) remember("rater", `rater-${newId().slice(0, 12)}`);
  return recall("rater");
}
function showRater() {
  const n = Number(recall("ratings") ?? 0);
  root.querySelector("[data-rater]").textContent = rater();
  root.querySelector("[data-count]").textContent = n || "none";
}

function say(text, tone = "") {
  status.className = `status ${tone}`;
  status.textContent = text;
}

// Asks again when the service is busy or the connection was lost.
async function ask(address, options) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await fetch(address, options);
      const body = await answer.json();
      if (answer.ok) return body;
      if (answer.status < 500) return { problem: body.detail };
    } catch {
      // the connection was lost: try again
    }
    if (attempt === RETRIES) return { problem: "the service cannot be reached" };
    await new Promise((resume) => setTimeout(resume, 500 * 2 ** attempt));
  }
}

async function load(address, attempt = 0) {
  const image = new Image();
  image.src = address;
  try {
    await image.decode();
    return true;
  } catch {
    if (attempt === RETRIES) return false;
    await new Promise((resume) => setTimeout(resume, 1000 * (attempt + 1)));
    return load(address, attempt + 1);
  }
}

async function fetchNext() {
  const task = await ask(`/v1/ratings/next?kind=${kind}`, { cache: "no-store" });
  if (task.problem) return task;
  const loaded = await Promise.all(task.pictures.map((picture) => load(picture.image_url)));
  return loaded.every(Boolean) ? task : { problem: "a picture could not be loaded" };
}

function setBusy(busy) {
  isBusy = busy;
  stage.setAttribute("aria-busy", String(busy));
  for (const button of root.querySelectorAll("button[data-choice], [data-answer]")) button.disabled = busy;
}

function show(task) {
  stage.dataset.product = task.product_id;
  root.querySelector("[data-subject]").textContent = task.product_title;
  for (const [i, choice] of [...stage.querySelectorAll("[data-choice]")].entries()) {
    const picture = task.pictures[i];
    const image = choice.querySelector("img");
    const place = kind === "pair" ? `the picture on the ${choice.dataset.choice}` : "the picture to score";
    choice.dataset.style = picture.style_id;
    choice.classList.remove("chosen");
    image.width = picture.image_width;
    image.height = picture.image_height;
    image.src = picture.image_url;
    image.alt = `${task.product_title}, ${place}`;
  }
}

async function advance() {
  const focused = document.activeElement;
  setBusy(true);
  const task = await coming;
  coming = fetchNext();
  if (task.problem) {
    say(`There is no next picture: ${task.problem}. Skip tries again.`, "failed");
    isBusy = false;
    return;
  }
  show(task);
  setBusy(false);
  if (focused instanceof HTMLElement && root.contains(focused)) focused.focus();
}

function judgement(answer) {
  const styles = [...stage.querySelectorAll("[data-choice]")].map((choice) => choice.dataset.style);
  const about = { rating_id: newId(), rater_id: rater(), product_id: stage.dataset.product, kind };
  return kind === "pair"
    ? { ...about, left_style_id: styles[0], right_style_id: styles[1], preferred: answer }
    : { ...about, style_id: styles[0], score: Number(answer) };
}

async function rate(answer) {
  if (isBusy) return;
  isBusy = true;
  stage.querySelector(`[data-choice="${answer}"]`)?.classList.add("chosen");
  const result = await ask("/v1/ratings", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(judgement(answer)),
  });
  if (result.problem) {
    say(`The rating was not recorded: ${result.problem}`, "failed");
    stage.querySelector(".chosen")?.classList.remove("chosen");
    isBusy = false;
    return;
  }
  remember("ratings", Number(recall("ratings") ?? 0) + 1);
  showRater();
  say(`Recorded, ${recall("ratings")} so far.`, "done");
  await advance();
}

async function skip() {
  if (isBusy) return;
  say("Skipped.");
  await advance();
}

async function erase() {
  const answer = await ask(`/v1/users/${encodeURIComponent(rater())}`, { method: "DELETE" });
  if (answer.problem) {
    say(`Nothing was erased: ${answer.problem}`, "failed");
    return;
  }
  remember("ratings", 0);
  showRater();
  say(`Erased ${answer.rows_erased} ${answer.rows_erased === 1 ? "rating" : "ratings"}.`, "done");
}

const KEYS = kind === "pair"
  ? { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither" }
  : { 1: "1", 2: "2", 3: "3", 4: "4", 5: "5" };

showRater();
root.querySelector("[data-erase]").addEventListener("click", erase);
if (stage) {
  for (const button of root.querySelectorAll("button[data-choice]")) {
    button.addEventListener("click", () => rate(button.dataset.choice));
  }
  for (const button of root.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => rate(button.dataset.answer));
  }
  root.querySelector("[data-skip]").addEventListener("click", skip);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key in KEYS) {
      event.preventDefault();
      rate(KEYS[event.key]);
    } else if (event.key.toLowerCase() === "s") {
      skip();
    }
  });
  const shown = [...stage.querySelectorAll("img")].map((image) => load(image.getAttribute("src")));
  Promise.all(shown).then((loaded) => {
    for (const image of stage.querySelectorAll("img")) if (!image.naturalWidth) image.src = image.src;
    setBusy(!loaded.every(Boolean));
    if (!loaded.every(Boolean)) say("A picture could not be loaded; load the page again.", "failed");
  });
  coming = fetchNext();
}
