// Comforts of the page of a load: places of findings on the map, from the list to the map and back, copying, printing.

const COLOURS = { error: "#a3201d", warning: "#b06a00", info: "#57606a" };
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Filled for errors, hollow for the rest: not told by colour alone. */
function look(severity, chosen) {
  const colour = COLOURS[severity] ?? COLOURS.info;
  const filled = severity === "error";
  return { color: filled ? "#ffffff" : colour, weight: chosen ? 4 : filled ? 1.5 : 3, fillColor: filled ? colour : "#ffffff", fillOpacity: 0.95, radius: chosen ? 10 : 7 };
}

function mark(number) {
  for (const row of document.querySelectorAll(".findings tr.marked")) row.classList.remove("marked");
  const row = document.getElementById(`finding-${number}`);
  row?.classList.add("marked");
  return row;
}

function startMap(data) {
  const { leaflet, gl } = window.geoserviceMap;
  // A ground that this reader may not see stays blank; the places are drawn all the same.
  gl.getMaplibreMap().on("error", () => {});
  const places = L.geoJSON(JSON.parse(data.textContent), {
    pointToLayer: ({ properties }, at) => L.circleMarker(at, look(properties.severity, false)),
    onEachFeature: ({ properties }, layer) => {
      layer.bindTooltip(() => document.createTextNode(properties.name));
      layer.on("click", () => mark(properties.finding)?.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "center" }));
    },
  }).addTo(leaflet);
  const extent = (data.dataset.extent || "").split(",").map(Number);
  const bounds = places.getBounds();
  if (extent.length === 4 && extent.every(Number.isFinite) && extent[0] <= extent[2]) {
    const box = L.latLngBounds([[extent[1], extent[0]], [extent[3], extent[2]]]);
    L.rectangle(box, { color: "#57606a", weight: 1, dashArray: "4 3", fill: false, interactive: false }).addTo(leaflet);
    bounds.extend(box);
  }
  const fit = (box) => leaflet.fitBounds(box, { padding: [24, 24], maxZoom: 16, animate: false });
  if (bounds.isValid()) fit(bounds);
  for (const button of document.querySelectorAll(".show-places")) button.addEventListener("click", () => show(Number(button.dataset.finding), places, fit));
}

function show(number, places, fit) {
  const chosen = L.latLngBounds([]);
  places.eachLayer((layer) => {
    const { finding, severity } = layer.feature.properties;
    const style = look(severity, finding === number);
    layer.setStyle(style);
    layer.setRadius(style.radius);
    if (finding !== number) return;
    chosen.extend(layer.getLatLng());
    layer.bringToFront();
  });
  mark(number);
  if (chosen.isValid()) fit(chosen);
  document.getElementById("places").scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
}

const data = document.getElementById("load-places");
if (data && window.geoserviceMap) startMap(data);

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = `✓ ${button.textContent.replace("✓ ", "")}`;
  });
}

document.getElementById("print")?.addEventListener("click", () => window.print());
