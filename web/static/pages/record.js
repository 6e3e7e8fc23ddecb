// The page of a collection: addresses are copied, the page is printed, a picture that cannot be drawn goes away.

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = `✓ ${button.textContent.replace("✓ ", "")}`;
  });
}

document.getElementById("print")?.addEventListener("click", () => window.print());

const picture = document.querySelector(".picture img");
if (picture) {
  const remove = () => picture.closest(".picture").remove();
  picture.addEventListener("error", remove);
  if (picture.complete && !picture.naturalWidth) remove();
}
