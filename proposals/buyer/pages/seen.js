// Tells the server that somebody reads, and for how long each part: no more than that, and to nobody else.
const EVERY_S = 15, SHARE = 0.35;

export function seeing(base) {
  const session = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const sections = {}, inView = new Set();
  let seconds = 0, acted = false, told = "";

  const act = (event) => { if (event.isTrusted) { acted = true; } };
  for (const kind of ["pointerdown", "keydown", "touchmove", "wheel"]) addEventListener(kind, act, { passive: true, capture: true });

  const watch = new IntersectionObserver((found) => {
    for (const { target, isIntersecting, intersectionRatio, intersectionRect } of found) {
      const fills = intersectionRect.height > innerHeight * SHARE;
      if (isIntersecting && (intersectionRatio >= SHARE || fills)) inView.add(target.dataset.place);
      else inView.delete(target.dataset.place);
    }
  }, { threshold: [0, 0.1, 0.2, SHARE, 0.5, 0.75, 1] });
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
    for (const place of inView) sections[place] = (sections[place] ?? 0) + 1;
    if (seconds % EVERY_S === 0 || (acted && !told)) tell();
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") tell(); });
  addEventListener("pagehide", tell);
}
