// Sets light or dark before the first paint: as the address says, else as the reader's system.
(() => {
  const asked = document.currentScript.dataset.theme;
  const dark = asked ? asked === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
