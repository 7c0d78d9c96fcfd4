// The table of phones: how many are ticked, and all at once. The page of the scanner: what is typed goes into its field.
(() => {
  const boxes = () => [...document.querySelectorAll('#phones input[name="mac"]')];
  const count = () => {
    const out = document.getElementById("chosen");
    if (!out) return;
    const all = boxes(), ticked = all.filter((box) => box.checked).length;
    if (out.value !== String(ticked)) out.value = String(ticked);
    out.closest(".many").classList.toggle("some", ticked > 0);
    const every = document.getElementById("all");
    // A phone that came meanwhile is not ticked, so that "all" is no longer true.
    if (every) every.checked = every.checked && ticked === all.length;
  };
  document.addEventListener("change", (event) => {
    if (event.target.id === "all") {
      for (const box of boxes()) box.checked = event.target.checked;
    }
    if (event.target.id === "all" || event.target.name === "mac") count();
  });
  document.addEventListener("htmx:after:swap", count);
  window.addEventListener("pageshow", count); // browsers tick again what was ticked before a page was loaded again
  document.addEventListener("keydown", (event) => {
    const field = document.querySelector("[data-scan]");
    if (!field || event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.activeElement === document.body) field.focus();
  });
})();
