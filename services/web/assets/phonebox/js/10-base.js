// The little that the page does beyond htmx. Everything works without it.
document.documentElement.classList.add("js");

// The button that takes this browser's time: the time is read when it is pressed, before htmx collects the form.
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-browser-time]")) {
    event.target.elements.unix.value = (Date.now() / 1000).toFixed(3);
  }
}, true);

// A button that is pressed twice is pressed once: the same form with the same content is not sent again before its answer is there.
// After a while it is, for an answer may never come.
(() => {
  let sent = "", timer;
  const answered = () => { sent = ""; };
  document.addEventListener("submit", (event) => {
    const form = event.target, button = event.submitter;
    if (form.getAttribute("method") !== "post") return;
    const what = [form.getAttribute("action"), new URLSearchParams(new FormData(form)), button?.name, button?.value].join(" ");
    if (what === sent) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    sent = what;
    clearTimeout(timer);
    timer = setTimeout(answered, 5000);
  }, true);
  for (const event of ["htmx:after:request", "htmx:error"]) document.addEventListener(event, answered);
  window.addEventListener("pageshow", answered);
})();
