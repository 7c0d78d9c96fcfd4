// What a person unfolded stays so when the page is brought up to date.
if (window.htmx) {
  htmx.config.morphIgnore = [...(htmx.config.morphIgnore ?? []), "open"];
}
