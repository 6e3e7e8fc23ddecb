// Sets light or dark before the first paint; a classic script, because modules run after the page is drawn.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("geoservice-theme");
  } catch {
    // Storage can be forbidden; the system's preference then decides.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
