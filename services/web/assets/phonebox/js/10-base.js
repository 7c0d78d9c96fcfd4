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

// Who points sees where he is; the mark of the focus is for those who go by keyboard.
for (const [kind, points] of [["pointerdown", true], ["keydown", false]]) {
  document.addEventListener(kind, () => document.documentElement.classList.toggle("pointer", points), true);
}

// htmx exchanges what is on the page, and the focus goes with it. Who works by keyboard or hears the page goes on where it has
// something to say: at the field that wants the focus, such as the first that is wrong, at what just happened, else at the heading.
// Without a word of the page the focus stays at what has the same id on both pages.
document.addEventListener("htmx:after:swap", (event) => {
  if (!["BODY", "MAIN"].includes(event.detail.ctx?.target?.tagName)) return;
  const main = document.querySelector("main"), lost = document.activeElement === document.body;
  const place = main.querySelector("[autofocus]") ?? main.querySelector(":scope > .say") ?? main.querySelector(".problem[role=alert]") ?? (lost && main.querySelector("h1"));
  if (!place) return;
  if (place.tabIndex < 0) place.tabIndex = -1;
  place.focus();
});

// On a narrow screen a line of the navigation is pushed so far that one sees where one is.
const showPlace = () => document.querySelectorAll("nav [aria-current]").forEach((a) => {
  if (a.dataset.shown === String(innerWidth)) return;
  a.dataset.shown = innerWidth;
  a.parentElement.scrollLeft = a.offsetLeft - a.parentElement.offsetLeft - 24;
});
showPlace();
addEventListener("resize", showPlace);
document.addEventListener("htmx:after:swap", showPlace);
// A browser leaves a link half out of the line when the keyboard comes to it.
document.addEventListener("focusin", (event) => event.target.closest("nav") && event.target.scrollIntoView({ block: "nearest", inline: "nearest" }));
