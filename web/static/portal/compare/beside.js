// Side by side: a second map in the other half of the page, and what moves one moves the other.

import { t } from "../state.js";
import { el } from "../dom.js";
import { leaflet } from "../map.js";
import { whatIsAt } from "../identify.js";
import { secondMap } from "./side.js";

const CURSOR = { radius: 6, color: "#0078ff", weight: 2, fill: false, interactive: false };

function link(first, second) {
  let moving = false;
  const follow = (from, to) => () => {
    if (moving) return;
    moving = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    moving = false;
  };
  const pairs = [[first, follow(first, second)], [second, follow(second, first)]];
  for (const [map, move] of pairs) map.on("move zoomend", move);
  pairs[0][1]();
  return () => { for (const [map, move] of pairs) map.off("move zoomend", move); };
}

/** The place of the pointer, shown on the other map. */
function mirror(from, to) {
  const mark = L.circleMarker([0, 0], CURSOR);
  const move = (event) => mark.setLatLng(event.latlng).addTo(to);
  const leave = () => mark.remove();
  from.on("mousemove", move);
  from.on("mouseout", leave);
  return () => { from.off("mousemove", move); from.off("mouseout", leave); mark.remove(); };
}

/** Start the second map beside the first one. Returns what the comparison needs to know of it. */
export function startBeside(view) {
  const box = el("div", { className: "second-map", id: "second-map", role: "application", "aria-label": t("compare_second") });
  leaflet.getContainer().after(box);
  document.body.classList.add("beside");
  leaflet.invalidateSize({ animate: false });
  const { minZoom, maxZoom, zoomSnap } = leaflet.options;
  const second = L.map(box, { minZoom, maxZoom, zoomSnap, zoomControl: false, attributionControl: false, zoomAnimation: false, fadeAnimation: false });
  second.setView(leaflet.getCenter(), leaflet.getZoom(), { animate: false });
  const made = secondMap(second, view.right);
  const apart = [link(leaflet, second), mirror(leaflet, second), mirror(second, leaflet)];
  const resized = () => second.invalidateSize({ animate: false, pan: false });
  leaflet.on("resize", resized);
  const gl = made.getMaplibreMap();
  second.on("click", (event) => whatIsAt(event.latlng.wrap(), { gl, when: view.right.asOf, layers: view.right.layers }));
  return {
    gl,
    covers: () => false,
    focus: () => box.focus({ preventScroll: true }),
    end() {
      leaflet.off("resize", resized);
      for (const part of apart) part();
      second.remove();
      box.remove();
      document.body.classList.remove("beside");
      leaflet.invalidateSize({ animate: false });
    },
  };
}
