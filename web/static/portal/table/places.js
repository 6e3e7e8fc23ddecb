// The place of a condition: what the map shows, a division, or an area that is drawn; kept as CQL2 writes geometries.

import { address, config, layerById, t } from "../state.js";
import { byId, el, notice } from "../dom.js";
import { codeName, titleOf } from "../format.js";
import { startDrawing } from "../draw.js";
import { ask } from "../request.js";
import { asOf } from "../time/asked_time.js";
import { BUILDER, asked, viewBox } from "./rows.js";

const MANY = 1000;
const LONGEST = 12_000;
// Metres by which the outline of a division may be simplified until its text is short enough for an address.
const OFFSETS = [0, 10, 30, 100, 300, 1000, 3000];
const labels = new Map();
let divisions = null;
let divisionsAt = null;

const position = ([lon, lat]) => `${Number(lon.toFixed(6))} ${Number(lat.toFixed(6))}`;
const ring = (corners) => `(${corners.map(position).join(", ")})`;
const area = (rings) => `(${rings.map(ring).join(", ")})`;

/** A polygon of GeoJSON as CQL2 writes it. */
export const written = (geometry) => (geometry.type === "MultiPolygon" ? `MULTIPOLYGON(${geometry.coordinates.map(area).join(", ")})` : `POLYGON${area(geometry.coordinates)}`);

/** What a place is called: its own name, or what it is. */
export function placeWords(shape) {
  if (!shape) return t("place_none");
  if (labels.has(shape)) return labels.get(shape)();
  if (/^BBOX/i.test(shape)) return t("place_box", { box: shape.replace(/^BBOX\s*\(|\)$/gi, "") });
  return t("place_area", { n: (shape.match(/,/g) ?? []).length });
}

function divisionName(layer, one) {
  const list = layer.attributes.find((each) => each.name === "level")?.list;
  const level = list ? codeName(list, one.properties.level) : null;
  const name = titleOf(layer, one.properties, one.id);
  return level ? `${name} (${level})` : name;
}

const listed = () => {
  if (divisionsAt !== asOf()) [divisions, divisionsAt] = [null, asOf()];
  divisions ??= ask(BUILDER, `${address(config.urls.items, { id: "division" })}?${asked({ limit: MANY, skipGeometry: "true" })}`).catch((error) => { divisions = null; throw error; });
  return divisions;
};

async function outline(id) {
  for (const offset of OFFSETS) {
    const one = await ask(BUILDER, `${address(config.urls.item, { id: "division", key: id })}?${asked({ "max-allowable-offset": offset || null })}`);
    const text = written(one.geometry);
    if (text.length <= LONGEST) return { text, offset };
  }
  throw new Error(t("place_too_long"));
}

/** A choice of divisions that is filled when it is first looked at. */
function divisionField(take) {
  const layer = layerById("division");
  if (!layer?.edition) return null;
  const select = el("select", { "aria-label": t("place_division") }, el("option", { value: "" }, t("place_division")));
  listed().then((found) => select.append(...found.features.map((one) => el("option", { value: String(one.id) }, divisionName(layer, one)))), (error) => notice(error.message, "error"));
  select.addEventListener("change", async () => {
    if (!select.value) return;
    const name = select.selectedOptions[0].textContent;
    select.disabled = true;
    try {
      const { text, offset } = await outline(select.value);
      labels.set(text, () => (offset ? t("place_rough", { name, n: offset }) : name));
      take(text);
    } catch (error) {
      notice(error.message, "error");
      select.disabled = false;
    }
  });
  return select;
}

function draw(take) {
  const sheet = byId("panel");
  const narrow = innerWidth < 700;
  const back = () => { if (narrow) sheet.dataset.height = "half"; };
  if (narrow) sheet.dataset.height = "peek";
  startDrawing((geometry) => { back(); take(written(geometry)); }, back);
}

/** Fields for the place of a condition; `changed` is called when there is another one. */
export function placeFields(node, changed) {
  const said = el("span", { className: "filter-place" }, placeWords(node.values[0]));
  const take = (shape) => { node.values = [shape]; changed(true); };
  const way = (key, onclick) => el("button", { type: "button", onclick }, t(key));
  return el("div", { className: "filter-values filter-places" }, said, way("place_view", () => take(viewBox())), way("place_draw", () => draw(take)), divisionField(take));
}
