// Comfort around conversions. Everything here listens on the document, because htmx exchanges what is in it.
(() => {
  const rows = () => document.querySelectorAll("table.conversions tbody tr");

  // What is typed into the search narrows the list at once; Enter asks the box, which knows also the phones of other pages.
  const narrow = () => {
    const field = document.querySelector("[data-find]");
    if (!field) return;
    const text = field.value.trim().toLowerCase(), digits = text.replace(/[^0-9a-f]/g, "");
    for (const row of rows()) {
      const mac = row.id.slice(2).toLowerCase();
      const hides = text !== "" && row.id !== "c-none" && !row.querySelector(".who a").textContent.toLowerCase().includes(text) &&
        !(digits && digits.length >= text.replace(/[:.\s-]/g, "").length && (digits.length <= 4 ? mac.endsWith(digits) : mac.includes(digits)));
      if (row.hidden !== hides) row.hidden = hides;
    }
  };
  document.addEventListener("input", (e) => { if (e.target.matches("[data-find]")) narrow(); });

  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-pick-all]")) {
      for (const row of rows()) {
        const box = row.querySelector("[name=mac]");
        if (box && !row.hidden) box.checked = e.target.checked;
      }
    }
    if (e.target.matches("[data-sound]")) {
      localStorage.setItem("phonebox-sound", e.target.checked ? "1" : "");
      if (e.target.checked) beep(660);
    }
  });
  document.addEventListener("click", (e) => { if (e.target.closest("[data-print]")) window.print(); });

  // A sound when one more phone needs a person, and another when all have arrived.
  let audio, before;
  const beep = (...tones) => {
    audio ??= new AudioContext();
    tones.forEach((tone, i) => {
      const voice = audio.createOscillator(), loud = audio.createGain(), at = audio.currentTime + i * 0.22;
      voice.frequency.value = tone;
      loud.gain.value = 0.15;
      voice.connect(loud).connect(audio.destination);
      voice.start(at);
      voice.stop(at + 0.18);
    });
  };
  const listen = () => {
    const sum = document.querySelector("#conversions-sum [data-of]"), on = document.querySelector("[data-sound]");
    if (!sum || !on) { before = undefined; return; }
    if (before === undefined) on.checked = localStorage.getItem("phonebox-sound") === "1";
    const now = { done: +sum.dataset.done, of: +sum.dataset.of, waits: +sum.dataset.waits };
    if (before && on.checked && now.of > 0 && now.done === now.of && before.done < before.of) beep(523, 659, 784);
    else if (before && on.checked && now.waits > before.waits) beep(880, 660);
    before = now;
  };

  // A script's upload tells how far it is; without a script the form is sent as it is.
  const send = (form) => {
    const box = form.querySelector(".upload"), bar = box.querySelector("progress"), say = box.querySelector("span"), ask = new XMLHttpRequest();
    box.hidden = false;
    form.querySelector("button").disabled = true;
    ask.upload.onprogress = (e) => {
      const percent = Math.floor(100 * e.loaded / e.total);
      bar.value = percent;
      const text = percent < 100 ? say.dataset.sent.replace("%d", percent).replace("%s", (e.total / 1048576).toFixed(1)) : say.dataset.check;
      if (say.textContent !== text) say.textContent = text;
    };
    ask.onloadend = () => {
      let answer = {};
      try { answer = JSON.parse(ask.responseText); } catch { /* the box is away, or the session ended */ }
      if (answer.next) { location.assign(answer.next); return; }
      form.querySelector("button").disabled = false;
      say.textContent = answer.error || say.dataset.broke;
    };
    ask.open("POST", form.getAttribute("action"));
    ask.setRequestHeader("Accept", "application/json");
    ask.send(new FormData(form));
  };
  document.addEventListener("submit", (e) => {
    if (e.target.matches("form[data-upload]")) { e.preventDefault(); send(e.target); }
  });
  const over = (e) => e.dataTransfer?.types.includes("Files") && e.target.closest?.("form[data-upload]");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (e) => {
      const form = over(e);
      if (!form) return;
      e.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop") {
        form.querySelector("[type=file]").files = e.dataTransfer.files;
        form.requestSubmit();
      }
    });
  }

  new MutationObserver(() => { narrow(); listen(); }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-done", "data-waits"] });
  listen();
})();
