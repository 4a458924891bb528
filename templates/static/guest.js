// What the guest's page gains where JavaScript runs; everything works without it.
(() => {
  "use strict";
  const AGAIN = 12000;

  // Forms are sent once.
  document.addEventListener("submit", (event) => {
    const button = event.target.querySelector("button");
    if (button) setTimeout(() => { button.disabled = true; }, 0);
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("button").forEach((button) => { button.disabled = false; }));

  // While a code is on its way to a lock, the page looks again by itself.
  const waits = () => document.querySelector(".waiting, [data-waits]");
  const look = async () => {
    if (document.hidden || !waits()) return;
    const answer = await fetch(location.href, { headers: { "x-live": "1" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const now of fresh.querySelectorAll(".door")) {
      const old = document.getElementById(now.id);
      if (!old) continue;
      const same = (door) => door.innerHTML.replace(/name="csrf" value="[^"]*"/g, "");
      if (same(old) !== same(now) && !old.contains(document.activeElement)) old.replaceWith(now);
    }
  };
  if (waits()) setInterval(() => { look().catch(() => {}); }, AGAIN);
})();
