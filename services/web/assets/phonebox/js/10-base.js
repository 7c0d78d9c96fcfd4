// The little that the page does beyond htmx. Everything works without it.
document.documentElement.classList.add("js");

// The button that takes this browser's time: the time is read when it is pressed, before htmx collects the form.
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-browser-time]")) {
    event.target.elements.unix.value = (Date.now() / 1000).toFixed(3);
  }
}, true);
