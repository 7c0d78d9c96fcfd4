// The little that the page does beyond htmx. Everything works without it.
document.documentElement.classList.add("js");

// The button that takes this browser's time: the time is read when it is pressed, before htmx collects the form.
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-browser-time]")) {
    event.target.elements.unix.value = (Date.now() / 1000).toFixed(3);
  }
}, true);

// On a narrow screen a line of the navigation is pushed so far that one sees where one is.
const showPlace = () => document.querySelectorAll("nav [aria-current]:not([data-shown])").forEach((a) => {
  a.dataset.shown = "";
  a.parentElement.scrollLeft = a.offsetLeft - a.parentElement.offsetLeft - 24;
});
showPlace();
document.addEventListener("htmx:after:swap", showPlace);
