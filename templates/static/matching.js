// Drag a lock onto a property: the same form as choosing it there.
(() => {
  "use strict";
  const KIND = "text/x-lockbridge-lock";
  document.querySelectorAll("[data-lock]").forEach((chip) => {
    chip.draggable = true;
    chip.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData(KIND, chip.dataset.lock);
      event.dataTransfer.setData("text/plain", chip.textContent.trim());
      event.dataTransfer.effectAllowed = "copy";
    });
  });
  document.querySelectorAll("[data-property]").forEach((card) => {
    const form = card.querySelector("[data-match]");
    if (!form) return;
    const over = (on) => card.classList.toggle("drop", on);
    card.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes(KIND)) return;
      event.preventDefault(); event.dataTransfer.dropEffect = "copy"; over(true);
    });
    card.addEventListener("dragleave", (event) => { if (!card.contains(event.relatedTarget)) over(false); });
    card.addEventListener("drop", (event) => {
      event.preventDefault(); over(false);
      const select = form.elements.namedItem("lock");
      select.value = event.dataTransfer.getData(KIND);
      if (select.value) form.requestSubmit();
    });
  });
})();
