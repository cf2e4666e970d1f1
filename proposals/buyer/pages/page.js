// What makes the page quicker for who has scripts: everything here can be done by its forms alone.
import { choosing } from "./choose.js";
import { signing } from "./sign.js";
import { seeing } from "./seen.js";

const base = document.body.dataset.base;
const form = document.getElementById("answer-form");

document.querySelector("[data-focus]")?.focus();
if (form) choosing(form, base);
if (form && document.getElementById("pad")) signing(form);
if ("counts" in document.body.dataset) seeing(base);

// The bar says what the answer says: while that is in view, it would only be in the way.
const bar = document.getElementById("bar");
const answer = document.getElementById("answer");
if (bar && answer) {
  new IntersectionObserver(([seen]) => bar.classList.toggle("away", seen.isIntersecting)).observe(answer);
}

// Sending takes a while on the road: a second press would only ask whether the first one arrived.
for (const sent of document.querySelectorAll("form")) {
  sent.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const button = event.submitter;
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button:disabled:not(.step)")) button.disabled = false;
});

// The sealed files come a moment after the answer: the page is asked for again until it has them.
const AGAIN_MS = 4000, TIMES_MAX = 15;
let times = 0;
async function awaitSealed() {
  const place = document.getElementById("sealed");
  if (!place?.querySelector("[data-awaits]") || times++ >= TIMES_MAX) return;
  try {
    const text = await (await fetch(base)).text();
    const found = new DOMParser().parseFromString(text, "text/html").getElementById("sealed");
    if (found && !found.querySelector("[data-awaits]")) { place.replaceChildren(...found.childNodes); return; }
  } catch { /* without signal: the next time */ }
  setTimeout(awaitSealed, AGAIN_MS);
}
setTimeout(awaitSealed, AGAIN_MS);
