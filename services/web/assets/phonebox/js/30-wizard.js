// The zone of this browser is a proposal in the list of zones, until a person chose one.
(() => {
  const propose = () => {
    const select = document.querySelector("select[data-browser-zone]");
    if (!select) return;
    delete select.dataset.browserZone;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone || !/^[A-Za-z0-9_+\-]+(\/[A-Za-z0-9_+\-]+)*$/.test(zone)) return;
    if (![...select.options].some((option) => option.value === zone)) select.add(new Option(zone, zone));
    select.value = zone;
  };
  propose();
  document.addEventListener("htmx:after:swap", propose);
  document.addEventListener("htmx:after:settle", propose);
})();
