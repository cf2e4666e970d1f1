// Options and quantities: the server reckons, and says texts. The page writes them where they belong.
const PAUSE_MS = 250;

export function choosing(form, base) {
  const fields = [...form.elements].filter((field) => /^(take$|pick\.|quantity\.)/.test(field.name) && !field.disabled);
  const heard = document.getElementById("heard");
  let timer = 0, asked = 0;

  const ask = async () => {
    const mine = ++asked;
    document.body.classList.add("waiting");
    try {
      const answer = await fetch(`${base}/choose`, {
        method: "POST",
        headers: { Accept: "application/json" },
        body: new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "drawing")),
      });
      if (mine !== asked) return;
      if (!answer.ok) throw new Error(answer.statusText);
      write(form, await answer.json());
      heard.textContent = `${heard.dataset.said} ${document.querySelector("[data-total]").textContent}`;
    } catch {
      if (mine === asked) heard.textContent = heard.dataset.failed;
    } finally {
      if (mine === asked) document.body.classList.remove("waiting");
    }
  };
  const later = () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE_MS); };

  for (const field of fields) {
    const stepper = field.closest(".stepper");
    field.addEventListener("change", () => { if (stepper) within(field, stepper); later(); });
    if (stepper) stepping(field, stepper, later);
  }
  if (fields.length) for (const place of document.querySelectorAll(".update")) place.hidden = true;
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.name?.startsWith("quantity.")) { event.preventDefault(); event.target.blur(); }
  });
  // A browser that goes back shows what was chosen, and not what that comes to.
  if (fields.some((field) => (field.type === "text" ? field.value !== field.defaultValue : field.checked !== field.defaultChecked))) later();
}

// As the server reads it: by the language of the offer, and what is no number in it is none.
function numberOf(text, point) {
  const form = point === "," ? /^(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?$/ : /^(\d+|[1-9]\d{0,2}(,\d{3})+)(\.\d+)?$/;
  if (!form.test(text.trim())) return NaN;
  const other = point === "," ? "." : ",";
  return Number(text.trim().replaceAll(other, "").replace(point, "."));
}

function within(field, stepper, by = 0) {
  const { step: stepText, low: lowText, high, point } = stepper.dataset;
  const step = Number(stepText) || 1, low = Number(lowText) || step;
  let value = numberOf(field.value, point);
  if (Number.isNaN(value) && !by) return; // the server says so, and what was typed stays
  if (Number.isNaN(value)) value = low;
  value = low + Math.round((value + by * step - low) / step) * step;
  if (high !== "") value = Math.min(value, low + Math.floor((Number(high) - low) / step + 1e-9) * step);
  const places = Math.max(...[stepText, lowText].map((text) => (text.split(".")[1] ?? "").length));
  const kept = Math.max(value, low);
  if (kept < 1e15) field.value = String(Number(kept.toFixed(places))).replace(".", point);
}

function stepping(field, stepper, later) {
  const buttons = [...stepper.querySelectorAll(".step")];
  const bound = () => {
    for (const button of buttons) {
      const limit = button.dataset.by < 0 ? stepper.dataset.low : stepper.dataset.high;
      const value = numberOf(field.value, stepper.dataset.point);
      button.disabled = limit !== "" && (value - Number(limit)) * button.dataset.by >= 0;
    }
  };
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener("click", () => {
      within(field, stepper, Number(button.dataset.by));
      bound();
      if (button.disabled) field.focus();
      later();
    });
  }
  field.addEventListener("change", bound);
  bound();
}

function write(form, said) {
  for (const place of document.querySelectorAll("[data-total]")) place.textContent = said.total;
  for (const place of document.querySelectorAll("[data-line]")) {
    const line = said.lines[place.dataset.line];
    if (!line) continue;
    place.classList.toggle("out", !line.counts);
    place.querySelector("[data-amount]").textContent = line.amount;
    const list = place.querySelector("[data-list]");
    list.textContent = line.list_amount;
    list.hidden = !line.list_amount;
  }
  for (const place of document.querySelectorAll("[data-subtotal]")) {
    place.textContent = said.subtotals[place.dataset.subtotal] ?? "";
  }
  rows(document.getElementById("rows"), said.rows, (row) => [row.label, row.amount], (row) => row.kind);
  const dues = document.getElementById("dues");
  if (dues) rows(dues, said.dues, (due) => [due.label, due.when, due.amount]);
  const consent = document.querySelector("[data-consent]");
  if (consent) {
    consent.textContent = said.consent;
    form.elements.consent.checked = false; // what was agreed to was another total
    form.elements.consent_digest.value = said.consent_digest;
    form.elements.total_minor.value = said.total_minor;
  }
}

function rows(body, found, cells, kind) {
  body.replaceChildren(...found.map((each) => {
    const row = document.createElement("tr");
    if (kind) row.className = kind(each);
    cells(each).forEach((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));
}
