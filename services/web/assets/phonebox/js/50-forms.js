// Comfort for the forms of the settings: rows without a round trip, line numbers beside the file, a button that copies.
// Each does the same without it.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button, a[data-line]");
  if (!button) return;
  const rows = button.closest("[data-rows]");
  if (rows && button.matches("[data-row-add]")) {
    event.preventDefault();
    event.stopPropagation();
    const all = rows.querySelectorAll("[data-row]");
    const row = all[all.length - 1].cloneNode(true);
    row.querySelectorAll("input").forEach((input) => { input.value = ""; });
    button.before(row);
    row.querySelector("input").focus();
  } else if (rows && button.matches("[data-row-del]")) {
    event.preventDefault();
    event.stopPropagation();
    const row = button.closest("[data-row]");
    const next = row.nextElementSibling?.querySelector("input") || row.previousElementSibling?.querySelector("input");
    if (rows.querySelectorAll("[data-row]").length > 1) row.remove();
    else row.querySelectorAll("input").forEach((input) => { input.value = ""; });
    next?.focus();
    rows.dispatchEvent(new Event("change", { bubbles: true }));
  } else if (button.dataset.copy) {
    copy(document.getElementById(button.dataset.copy), button.parentElement.querySelector("[data-copied]"));
  } else if (button.dataset.line) {
    toLine(Number(button.dataset.line), event);
  }
}, true);

// Enter in the search looks, and does not go on to the next page.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("form.site [name=q]")) event.preventDefault();
});

// copy works on plain HTTP too, where browsers give no clipboard.
async function copy(from, say) {
  getSelection().selectAllChildren(from);
  try {
    await navigator.clipboard.writeText(from.textContent);
  } catch {
    if (!document.execCommand("copy")) return;
  }
  say.hidden = false;
}

function toLine(line, event) {
  const text = document.getElementById("site-text");
  if (!text) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] || "").length);
  text.scrollTop = text.scrollHeight / lines.length * Math.max(0, line - 5);
}

function number(text) {
  const box = text.parentElement;
  let gutter = box.querySelector("pre.numbers");
  if (!gutter) {
    gutter = document.createElement("pre");
    gutter.className = "numbers";
    gutter.setAttribute("aria-hidden", "true");
    text.before(gutter);
    text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
    new ResizeObserver(() => { gutter.style.height = text.offsetHeight + "px"; }).observe(text);
  }
  const n = text.value.split("\n").length;
  if (gutter.dataset.lines !== String(n)) {
    gutter.dataset.lines = n;
    gutter.textContent = Array.from({ length: n }, (_, i) => i + 1).join("\n");
  }
  gutter.scrollTop = text.scrollTop;
}

function numberAll() { document.querySelectorAll("[data-numbered] textarea").forEach(number); }
document.addEventListener("input", (event) => { if (event.target.matches?.("[data-numbered] textarea")) number(event.target); });
document.addEventListener("htmx:after:swap", numberAll);
document.addEventListener("htmx:after:process", numberAll);
numberAll();
