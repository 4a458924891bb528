// The editor of a text: short codes at the cursor, and a preview as one types. Everything works without it.
(() => {
  "use strict";
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const fields = [...form.querySelectorAll("#f-subject, #f-body")];
  let last = form.querySelector("#f-body");
  fields.forEach((field) => field.addEventListener("focus", () => { last = field; }));

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (!button) return;
    last.focus();
    last.setRangeText(button.dataset.insert, last.selectionStart, last.selectionEnd, "end");
    last.dispatchEvent(new Event("input", { bubbles: true }));
  });

  const preview = document.getElementById("preview");
  let waiting = 0, asked = 0;
  const show = async () => {
    const turn = ++asked;
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (!answer.ok || answer.redirected || turn !== asked) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    preview.replaceChildren(...fresh.body.childNodes);
  };
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(show, 300); };
  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
})();
