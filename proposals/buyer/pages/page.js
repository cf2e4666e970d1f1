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
