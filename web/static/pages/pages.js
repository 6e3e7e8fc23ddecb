// Small comforts of the readable pages: the language link keeps the query, the map shows the features.

const language = document.getElementById("language");
if (language) {
  const here = new URL(location.href);
  here.searchParams.set("lang", language.hreflang);
  here.searchParams.set("f", "html");
  language.href = here.href;
}

const data = document.getElementById("page-features");
if (data && window.geoserviceMap) {
  const { leaflet, gl } = window.geoserviceMap;
  // A base that this reader may not see stays blank; the features are drawn all the same.
  gl.getMaplibreMap().on("error", () => {});
  const style = { color: "#0b5ea8", weight: 2, fillOpacity: 0.15 };
  const open = (id) => {
    const there = new URL(data.dataset.items.replace("{key}", encodeURIComponent(id)), location.origin);
    there.search = `?f=html&lang=${data.dataset.language}`;
    location.assign(there);
  };
  const drawn = L.geoJSON(JSON.parse(data.textContent), {
    style,
    pointToLayer: (_, at) => L.circleMarker(at, { ...style, radius: 6 }),
    onEachFeature: (feature, layer) => {
      layer.on("click", () => open(feature.id));
      layer.bindTooltip(() => document.createTextNode(String(feature.id)));
    },
  }).addTo(leaflet);
  const bounds = drawn.getBounds();
  if (bounds.isValid()) leaflet.fitBounds(bounds, { padding: [20, 20], maxZoom: 14, animate: false });
}
