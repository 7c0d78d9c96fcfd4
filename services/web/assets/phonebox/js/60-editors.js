// Editors with rows. The box says of the rows that were edited what is wrong with them, so it is told which they are.
document.addEventListener("input", (event) => {
  const field = event.target;
  const list = field.form?.querySelector("[data-edited]");
  const row = field.name?.match(/\[(\d+)\]/)?.[1];
  if (list && row) {
    list.value = [...new Set([row, ...list.value.split(" ")])].slice(0, 8).join(" ").trim();
  }
  if (field.matches("[data-find-rows]")) {
    find(field);
  }
}, true);

// find hides the rows that don't hold all words; empty ones and those with a fault stay.
function find(field) {
  const plain = (s) => s.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
  const words = plain(field.value).split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll(field.dataset.findRows + " > li")) {
    const text = plain([...row.querySelectorAll("input")].map((i) => i.value).join(" "));
    row.hidden = text.trim() !== "" && !row.classList.contains("bad") && !words.every((w) => text.includes(w));
  }
}
