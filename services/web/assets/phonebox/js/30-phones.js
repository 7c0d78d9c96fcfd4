// The table of phones: what is ticked, which outlives filters, searches and sorting, and all at once. The page of the scanner: what
// is typed goes into its field.
(() => {
  const chosen = new Set(); // MACs, shown or not
  let known = false; // what the page came with is in chosen
  const boxes = () => [...document.querySelectorAll('#phones input[name="mac"]')];
  const put = (out, text) => { if (out.value !== text) out.value = text; };
  // hidden sends the phones that are ticked and not in this list.
  const hidden = (away) => {
    const place = document.getElementById("ticked-away");
    if ([...place.children].map((input) => input.value).join() === away.join()) return;
    place.replaceChildren(...away.map((mac) => Object.assign(document.createElement("input"), { type: "hidden", name: "mac", value: mac })));
  };
  const count = () => {
    const form = document.getElementById("many");
    if (!form) {
      chosen.clear();
      known = false;
      return;
    }
    const all = boxes();
    if (!known) {
      for (const box of [...all.filter((box) => box.checked), ...document.getElementById("ticked-away").children]) chosen.add(box.value);
      known = true;
    }
    for (const box of all) box.checked = chosen.has(box.value);
    const shown = new Set(all.map((box) => box.value)), away = [...chosen].filter((mac) => !shown.has(mac));
    hidden(away);
    put(document.getElementById("chosen"), String(chosen.size));
    const note = document.getElementById("chosen-away");
    put(note.querySelector("output"), String(away.length));
    note.hidden = away.length === 0;
    form.querySelector(".many").classList.toggle("some", chosen.size > 0);
    const every = document.getElementById("all");
    // A phone that came meanwhile is not ticked, so that "all" is no longer true.
    if (every) every.checked = every.checked && chosen.size - away.length === all.length;
  };
  document.addEventListener("change", (event) => {
    const ticks = event.target.id === "all" ? boxes() : event.target.matches('#phones input[name="mac"]') ? [event.target] : [];
    for (const box of ticks) chosen[event.target.checked ? "add" : "delete"](box.value);
    if (ticks.length) count();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-untick]")) return;
    event.preventDefault();
    event.stopPropagation();
    chosen.clear();
    count();
    document.getElementById("all")?.focus(); // what was pressed is no longer shown
  }, true);
  document.addEventListener("htmx:after:swap", count);
  // Browsers tick again what was ticked before a page was loaded again.
  window.addEventListener("pageshow", () => { known = false; count(); });
  document.addEventListener("keydown", (event) => {
    const field = document.querySelector("[data-scan]");
    if (!field || event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!document.activeElement?.matches("a, button, input, select, summary, textarea")) field.focus();
  });
})();
