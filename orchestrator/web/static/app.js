// What every page does: clocks that go on, and buttons that copy.
"use strict";

const clock = { offset: 0 }; // milliseconds that the ledger's clock is ahead of this one

function elapsed(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, "0")}m`;
}

function tick() {
  const now = Date.now() + clock.offset;
  for (const one of document.querySelectorAll("[data-since]")) {
    one.textContent = elapsed(now - Number(one.dataset.since));
  }
  for (const one of document.querySelectorAll("[data-until]")) {
    one.textContent = elapsed(Number(one.dataset.until) - now);
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

const run = document.querySelector("[data-now]");
if (run) clock.offset = Number(run.dataset.now) - Date.now();
tick();
setInterval(tick, 1000);
