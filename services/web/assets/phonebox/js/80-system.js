// The log grows by itself while it is watched; the oldest lines go, so that the browser does not.
new MutationObserver(() => {
  const log = document.getElementById("log");
  if (!log) return;
  for (let over = log.children.length - Number(log.dataset.most); over > 0; over--) log.lastElementChild.remove();
}).observe(document.documentElement, { childList: true, subtree: true });
