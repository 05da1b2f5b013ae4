// The shop's gestures: look at the original, ask why, open a product (a click), buy it (a purchase).
// Without this script the page still shows everything; only the events are missing.

const RETRIES = 4;
const dialog = document.getElementById("detail");
const within = (name, root = dialog) => root.querySelector(`[data-${name}]`);
let current = null;

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// An event keeps its id when it is sent again, so that it counts once.
async function send(event) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const answer = await fetch("/v1/events", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ events: [event] }),
        keepalive: true,
      });
      const body = await answer.json();
      if (answer.ok) return body.results[0];
      if (answer.status < 500) return { status: "rejected", reason: body.detail };
    } catch {
      // the connection was lost: try again
    }
    if (attempt === RETRIES) return { status: "rejected", reason: "the service cannot be reached" };
    await new Promise((resume) => setTimeout(resume, 500 * 2 ** attempt));
  }
}

function say(text, tone = "") {
  const status = within("status");
  status.className = `status ${tone}`;
  status.textContent = text;
}

async function fillReasons(list, card) {
  if (list.dataset.for === card.dataset.impression) return;
  list.dataset.for = card.dataset.impression;
  list.replaceChildren();
  const user = encodeURIComponent(dialog.dataset.shopper);
  const answer = await fetch(`/v1/users/${user}/styles?product_id=${encodeURIComponent(card.dataset.product)}`);
  if (!answer.ok) return;
  const { styles } = await answer.json();
  const place = styles.findIndex((style) => style.style_id === card.dataset.style);
  const rank = place < 0 ? "The photo as it is; no style was asked for."
    : place === 0 ? `First of ${styles.length} styles for this shopper.`
    : `Number ${place + 1} of ${styles.length} for this shopper: shown to learn more, not because it leads.`;
  const lines = [rank, ...(styles[place]?.reasons ?? []).map(({ text }) => `${text[0].toUpperCase()}${text.slice(1)}.`)];
  if (list.dataset.for !== card.dataset.impression) return;
  list.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
}

function showOriginal(card, isShown) {
  const photo = card.querySelector(".photo");
  if (!photo.src && isShown) photo.src = photo.dataset.src;
  photo.hidden = !isShown;
  card.querySelector("[data-peek]").setAttribute("aria-pressed", String(isShown));
}

function setSplit(percent) {
  within("compare").style.setProperty("--split", `${percent}%`);
}

async function open(card) {
  const { title, styleTitle, style, detail, photoDetail, price, currency } = card.dataset;
  current = card;
  const isOriginal = style === "original";
  const styled = card.querySelector(".styled");
  within("title").textContent = title;
  within("style-title").textContent = isOriginal ? "Original photo" : `In the style ${styleTitle}`;
  within("price").textContent = new Intl.NumberFormat(undefined, { style: "currency", currency }).format(price);
  within("after").src = styled.currentSrc;
  within("after").alt = styled.alt;
  within("before").src = photoDetail;
  within("compare").classList.toggle("is-original", isOriginal);
  within("split").value = 0;
  setSplit(0);
  within("buy").disabled = false;
  within("buy").textContent = "Buy now";
  say("");
  dialog.showModal();
  const sharper = new Image();
  sharper.onload = () => { if (current === card) within("after").src = detail; };
  sharper.src = detail;
  fillReasons(within("detail-reasons"), card);
  const result = await send({
    type: "click", event_id: newId(), impression_id: card.dataset.impression, occurred_at: new Date().toISOString(),
  });
  if (current !== card || within("status").textContent) return;
  if (result.status === "rejected") say(`The click was not recorded: ${result.reason}`, "failed");
  else say("Your click is recorded.");
}

async function buy() {
  const { impression, price, currency } = current.dataset;
  const button = within("buy");
  button.disabled = true;
  const result = await send({
    type: "purchase", event_id: newId(), impression_id: impression, occurred_at: new Date().toISOString(),
    value: price, currency,
  });
  const isRecorded = result.status !== "rejected";
  button.textContent = isRecorded ? "Bought" : "Buy now";
  button.disabled = isRecorded;
  if (isRecorded) say("Thank you. The purchase is recorded.", "done");
  else say(`The purchase was not recorded: ${result.reason}`, "failed");
}

for (const card of document.querySelectorAll("[data-card]")) {
  for (const link of card.querySelectorAll("[data-open]")) {
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      open(card);
    });
  }
  const peek = card.querySelector("[data-peek]");
  if (peek) {
    let isHeld = false;
    peek.addEventListener("pointerdown", () => { isHeld = true; showOriginal(card, true); });
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      peek.addEventListener(end, () => { if (isHeld) showOriginal(card, false); isHeld = false; });
    }
    peek.addEventListener("click", (event) => {
      if (event.detail === 0) showOriginal(card, peek.getAttribute("aria-pressed") !== "true");
    });
    peek.addEventListener("contextmenu", (event) => event.preventDefault());
  }
  const why = within("why", card);
  why.addEventListener("toggle", () => {
    if (!why.open) return;
    for (const other of document.querySelectorAll("[data-why][open]")) if (other !== why) other.open = false;
    fillReasons(within("reasons", why), card)
      .then(() => why.querySelector(".reasons").scrollIntoView({ block: "nearest" }));
  });
}

within("split").addEventListener("input", (event) => setSplit(event.target.value));
within("buy").addEventListener("click", buy);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const why of document.querySelectorAll("[data-why][open]")) why.open = false;
});
document.addEventListener("click", (event) => {
  for (const why of document.querySelectorAll("[data-why][open]")) if (!why.contains(event.target)) why.open = false;
});

// A busy renderer answers 503: ask for the picture again a little later.
function retry(image) {
  const attempt = Number(image.dataset.attempt ?? 0) + 1;
  if (attempt > RETRIES) return;
  image.dataset.attempt = attempt;
  setTimeout(() => { image.src = image.src; }, 1000 * attempt);
}
document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement && event.target.matches(".styled, .photo")) retry(event.target);
}, true);
for (const image of document.querySelectorAll(".styled")) {
  if (image.complete && image.naturalWidth === 0) retry(image);
}
