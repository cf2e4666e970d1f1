// Tells the server that somebody reads, and for how long each part: no more than that, and to nobody else.
const EVERY_S = 15;

export function seeing(base) {
  const session = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const sections = {}, inView = new Map();
  let seconds = 0, acted = false, told = "";

  const act = (event) => { if (event.isTrusted) { acted = true; } };
  for (const kind of ["pointerdown", "keydown", "touchmove", "wheel"]) addEventListener(kind, act, { passive: true, capture: true });

  const watch = new IntersectionObserver((found) => {
    for (const { target, intersectionRect } of found) inView.set(target.dataset.place, intersectionRect.height);
  }, { threshold: [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] });
  for (const part of document.querySelectorAll("[data-place]")) watch.observe(part);

  const tell = () => {
    const beat = JSON.stringify({ session, seconds, sections, acted });
    if (seconds < 2 || beat === told) return;
    told = beat;
    fetch(`${base}/seen`, { method: "POST", keepalive: true, headers: { "Content-Type": "application/json" }, body: beat }).catch(() => {});
  };
  setInterval(() => {
    if (document.visibilityState !== "visible") return;
    seconds += 1;
    const [most, high] = [...inView].reduce((best, each) => (each[1] > best[1] ? each : best), ["", 0]);
    if (high > 0) sections[most] = (sections[most] ?? 0) + 1; // one part at a time: the one that fills most
    if (seconds % EVERY_S === 0 || (acted && !told)) tell();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") tell(); });
  addEventListener("pagehide", tell);
}
