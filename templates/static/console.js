// What pages gain where JavaScript runs; every action works without it.
(() => {
  "use strict";
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Forms: ask before what cannot be taken back, and send once.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) { event.preventDefault(); return; }
    if (form.method === "post") {
      all("button:not([type=button])", form).forEach((button) => { button.setAttribute("aria-busy", "true"); });
      setTimeout(() => all("button:not([type=button])", form).forEach((button) => { button.disabled = true; }), 0);
    }
  });
  window.addEventListener("pageshow", () => all("button[aria-busy]").forEach((button) => {
    button.removeAttribute("aria-busy"); button.disabled = false;
  }));

  // Filters apply as soon as they are chosen.
  document.addEventListener("change", (event) => {
    if (event.target.closest("form[data-at-once]") && event.target.matches("select, [type=checkbox], [type=date]")) {
      event.target.form.requestSubmit();
    }
  });

  // Copy buttons: <button type="button" data-copy="#id">
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const from = one(button.dataset.copy);
    await navigator.clipboard.writeText(from.value ?? from.textContent.trim());
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 2000);
  });
  all("[data-copy], [data-js]").forEach((element) => { element.hidden = false; });

  // Instants that belong to no property are shown on the reader's own clock, with its zone.
  const spoken = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", day: "numeric", month: "short", year: "numeric",
    hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
  });
  const localise = (root) => all("time[data-here]", root).forEach((time) => {
    const part = Object.fromEntries(spoken.formatToParts(new Date(time.dateTime)).map((each) => [each.type, each.value]));
    const day = time.dataset.here === "day" ? `${part.weekday} ${part.day} ${part.month} ${part.year}, ` : "";
    const zone = one("abbr", time);
    time.firstChild.data = `${day}${part.hour}:${part.minute} `;
    zone.textContent = part.timeZoneName;
    zone.title = spoken.resolvedOptions().timeZone;
  });
  localise(document);

  // Escape closes the menu.
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && one("details.menu[open]");
    if (menu) { menu.open = false; one("summary", menu).focus(); }
  });

  // Fresh content: elements with an id and data-live are exchanged when the server says that something happened.
  const busy = () => document.activeElement && document.activeElement.closest("[data-live]")
    && document.activeElement.matches("input, select, textarea");
  let asked = 0;
  const refresh = async () => {
    if (busy() || document.hidden) return;
    const mine = ++asked;
    const answer = await fetch(location.href, { headers: { "x-live": "1" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;  // a later question is under way: its answer is the newer one, whichever comes first
    localise(fresh);
    for (const old of all("[data-live][id]")) {
      const now = fresh.getElementById(old.id);
      if (!now || now.outerHTML.replace(/name="csrf" value="[^"]*"/g, "") === old.outerHTML.replace(/name="csrf" value="[^"]*"/g, "")) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(now);
      now.classList.add("fresh");
      if (focused) document.getElementById(focused)?.focus();
    }
  };
  const stream = document.body.dataset.stream;
  if (stream && window.EventSource) {
    const source = new EventSource(stream);
    let waiting = 0;
    source.addEventListener("changed", () => { clearTimeout(waiting); waiting = setTimeout(refresh, 150); });
    source.addEventListener("done", () => { source.close(); refresh(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
    window.addEventListener("pagehide", () => source.close());
  }
})();
