// A signature, typed or drawn. What is drawn is sent as a PNG; nothing is kept in the browser.
const INK = "#16306b", THICK = 3.2;

export function signing(form) {
  const pad = document.getElementById("pad"), pen = pad.getContext("2d");
  const typed = document.getElementById("typed"), drawn = document.getElementById("drawn");
  const wrong = document.getElementById("drawing-wrong");
  const name = form.elements.name;
  let last = null, length = 0;

  document.getElementById("methods").hidden = false;
  const isDrawn = () => form.elements.method.value === "drawn";
  const show = () => { drawn.hidden = !isDrawn(); typed.hidden = isDrawn(); };
  for (const way of form.elements.method) way.addEventListener("change", show);
  const write = () => { typed.textContent = name.value; };
  name.addEventListener("input", write);

  const place = (event) => {
    const box = pad.getBoundingClientRect();
    return { x: ((event.clientX - box.left) * pad.width) / box.width, y: ((event.clientY - box.top) * pad.height) / box.height };
  };
  pad.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button > 0) return;
    event.preventDefault();
    pad.setPointerCapture(event.pointerId);
    last = place(event);
    pen.fillStyle = INK;
    pen.beginPath();
    pen.arc(last.x, last.y, THICK / 2, 0, 7);
    pen.fill();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    for (const each of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) {
      const next = place(each);
      pen.lineWidth = THICK;
      pen.lineCap = pen.lineJoin = "round";
      pen.strokeStyle = INK;
      pen.beginPath();
      pen.moveTo(last.x, last.y);
      pen.lineTo(next.x, next.y);
      pen.stroke();
      length += Math.hypot(next.x - last.x, next.y - last.y);
      last = next;
    }
    wrong.hidden = true;
  });
  const lift = () => { last = null; };
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) pad.addEventListener(end, lift);
  document.getElementById("clear").addEventListener("click", () => { pen.clearRect(0, 0, pad.width, pad.height); length = 0; });

  form.addEventListener("submit", (event) => {
    if (event.submitter?.formAction.includes("/choose")) return;
    const missing = [name, form.elements.consent].find((field) => !field.checkValidity());
    if (missing) { event.preventDefault(); missing.reportValidity(); return; }
    if (isDrawn() && length < 40) {
      event.preventDefault();
      wrong.hidden = false;
      pad.scrollIntoView({ block: "center" });
      return;
    }
    form.elements.drawing.value = isDrawn() ? pad.toDataURL("image/png") : "";
  });
  show();
  write();
}
