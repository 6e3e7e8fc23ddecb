// The page of an offline package: a map, its layers with legends, what lies where one clicks, editions and credits.
"use strict";

(() => {
  const config = window.PACKAGE;
  const NEAR = 5;
  const MOST = 12;
  const CLEAR = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg==";
  const shown = new Map(config.layers.map((layer) => [layer.id, layer.visible]));
  let language = (navigator.language || "zh").toLowerCase().startsWith("zh") ? "zh" : "en";
  let map = null;

  const t = (key, values = {}) => config.texts[key][language].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const words = (text) => text[language];
  const byId = (id) => document.getElementById(id);

  function el(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children.flat().filter((child) => child !== null));
    return made;
  }

  function shape(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // --- Packed tiles, glyphs and patterns ---------------------------------------------------------------------

  const archives = new Map();

  function archive(name) {
    if (!archives.has(name)) archives.set(name, new PackedTiles(name));
    return archives.get(name);
  }

  async function packedTile(address) {
    const [name, z, x, y] = address.split("/");
    const bytes = await archive(name).tile(Number(z), Number(x), Number(y));
    if (bytes) return { data: bytes.buffer };
    return { data: config.images.includes(name) ? Uint8Array.from(atob(CLEAR), (c) => c.charCodeAt(0)).buffer : new ArrayBuffer(0) };
  }

  async function packedGlyphs(address) {
    const name = `glyphs-${address.split("/").pop()}`;
    // MapLibre draws what is not there with the reader's own fonts.
    if (!pack.has(name)) throw new Error("the packaged font has no characters here");
    return { data: (await pack.whole(name)).buffer };
  }

  function hatch(colour) {
    const side = 16;
    const canvas = el("canvas", { width: side, height: side });
    const pen = canvas.getContext("2d");
    pen.strokeStyle = colour;
    pen.lineWidth = 2.4;
    for (const start of [-side, 0, side]) {
      pen.beginPath();
      pen.moveTo(start - 2, side + 2);
      pen.lineTo(start + side + 2, -2);
      pen.stroke();
    }
    return pen.getImageData(0, 0, side, side);
  }

  function disc(colour) {
    const side = 20;
    const canvas = el("canvas", { width: side, height: side });
    const pen = canvas.getContext("2d");
    pen.fillStyle = colour;
    pen.arc(side / 2, side / 2, side / 2 - 1, 0, 2 * Math.PI);
    pen.fill();
    return pen.getImageData(0, 0, side, side);
  }

  function missingImage({ id }) {
    const [kind, colour] = [id.slice(0, id.indexOf(":")), id.slice(id.indexOf(":") + 1)];
    const image = { hatch, disc }[kind]?.(colour);
    if (image && !map.hasImage(id)) map.addImage(id, image, { pixelRatio: 2 });
  }

  // --- The map -------------------------------------------------------------------------------------------------

  async function startMap() {
    const worker = new Blob([await pack.whole("worker")], { type: "text/javascript" });
    maplibregl.setWorkerUrl(URL.createObjectURL(worker));
    maplibregl.addProtocol("packed", ({ url }) => packedTile(url.replace("packed://", "")));
    maplibregl.addProtocol("packedglyphs", ({ url }) => packedGlyphs(decodeURIComponent(url.replace("packedglyphs://", ""))));
    map = new maplibregl.Map({
      container: "map",
      style: style(),
      bounds: config.start,
      fitBoundsOptions: { padding: 24 },
      maxZoom: 20,
      attributionControl: false,
      localIdeographFontFamily: "sans-serif",
      canvasContextAttributes: { preserveDrawingBuffer: true },
    });
    map.addControl(new maplibregl.NavigationControl({ visualizePitch: false }), "top-right");
    map.addControl(new maplibregl.ScaleControl(), "bottom-left");
    map.on("styleimagemissing", missingImage);
    map.on("click", (event) => identify(event.point));
    map.on("idle", () => document.body.classList.add("settled"));
    window.packageMap = map;
  }

  function style() {
    const found = structuredClone(config.styles[language]);
    Object.assign(found.sources, config.own.sources);
    // Names stay readable: areas and their edges lie beneath the first label, points on top of all.
    const label = found.layers.findIndex((part) => part.type === "symbol");
    const own = structuredClone(config.own.layers);
    found.layers.splice(label < 0 ? found.layers.length : label, 0, ...own.filter((part) => part.type !== "circle"));
    found.layers.push(...own.filter((part) => part.type === "circle"));
    for (const part of found.layers) {
      const layer = part.metadata?.layer;
      if (layer) part.layout = { ...part.layout, visibility: shown.get(layer) ? "visible" : "none" };
    }
    return found;
  }

  function show(id, on) {
    shown.set(id, on);
    for (const part of [...config.styles[language].layers, ...config.own.layers]) {
      if (part.metadata?.layer === id) map?.setLayoutProperty(part.id, "visibility", on ? "visible" : "none");
    }
  }

  // --- Layers and legends --------------------------------------------------------------------------------------

  function swatch(item) {
    const wide = item.shape === "ramp" ? 96 : 22;
    const box = shape("svg", { class: "swatch", width: wide, height: 16, viewBox: `0 0 ${wide} 16`, "aria-hidden": "true" });
    if (item.shape === "ramp") {
      const step = wide / item.colours.length;
      item.colours.forEach((colour, at) => box.append(shape("rect", { x: at * step, y: 2, width: step + 0.5, height: 12, fill: colour })));
    } else if (item.shape === "line") {
      const dash = item.dash ? { "stroke-dasharray": "4 2.5" } : {};
      const width = Math.min(Math.max(item.width, 1.5), 6);
      if (item.outline) box.append(shape("path", { d: "M1 8H21", stroke: item.outline, "stroke-width": width + 1.6 }));
      box.append(shape("path", { d: "M1 8H21", stroke: item.colour, "stroke-width": width, ...dash }));
    } else if (item.shape === "circle") {
      box.append(shape("circle", { cx: 11, cy: 8, r: 5, fill: item.colour, stroke: "#5b5b5b", "stroke-width": 0.8 }));
    } else {
      const edge = item.hatch ? item.colour : (item.outline ?? "none");
      box.append(shape("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: item.colour, "fill-opacity": item.hatch ? 0.2 : 0.85, stroke: edge }));
    }
    return box;
  }

  function legend(layer) {
    if (layer.legend.length < 2 && layer.legend[0]?.shape !== "ramp") return null;
    return el("ul", { className: "legend" }, layer.legend.map((item) => el("li", {}, swatch(item), el("span", {}, words(item.label)))));
  }

  function layerLine(layer) {
    const box = el("input", { type: "checkbox", checked: shown.get(layer.id), id: `layer-${layer.id}` });
    box.addEventListener("change", () => show(layer.id, box.checked));
    const single = layer.legend.length === 1 && layer.legend[0].shape !== "ramp" ? swatch(layer.legend[0]) : null;
    const label = el("label", { htmlFor: box.id }, single, words(layer.title));
    const inner = legend(layer);
    const more = inner && layer.own ? inner : inner ? el("details", { open: shown.get(layer.id) && layer.legend.length <= 14 }, el("summary", {}, words(layer.title)), inner) : null;
    if (layer.own) return el("li", { className: "layer" }, box, label, more);
    const edition = layer.edition === null ? "–" : `${layer.edition} · ${(layer.committed ?? "").slice(0, 10)}`;
    const facts = el("p", { className: "facts" }, `${t("package_edition")} ${edition}`, layer.attribution ? ` · ${layer.attribution}` : "");
    return el("li", { className: "layer" }, box, label, facts, more);
  }

  // --- What lies there -----------------------------------------------------------------------------------------

  function identify(point) {
    const area = [[point.x - NEAR, point.y - NEAR], [point.x + NEAR, point.y + NEAR]];
    const seen = new Set();
    const found = [];
    for (const feature of map.queryRenderedFeatures(area)) {
      const layer = config.layers.find((one) => one.id === feature.layer.metadata?.layer);
      const key = `${layer?.id}|${feature.properties.key ?? JSON.stringify(feature.properties)}`;
      if (layer && !seen.has(key) && found.length < MOST) {
        seen.add(key);
        found.push([layer, feature.properties]);
      }
    }
    const close = el("button", { type: "button" }, t("package_close"));
    close.addEventListener("click", () => byId("found").replaceChildren());
    const cards = found.length ? found.map(card) : [el("p", {}, t("package_none"))];
    byId("found").replaceChildren(el("header", {}, el("h2", {}, t("package_found")), close), ...cards);
  }

  function card([layer, properties]) {
    const own = layer.own && new Set(layer.attributes.map((one) => one.name));
    const rows = Object.entries(properties).filter(([name, value]) => value !== null && value !== "" && (!own || own.has(name)));
    return el("section", { className: "card" }, el("h3", {}, words(layer.title)), el("table", {}, rows.map((row) => line(layer, row))));
  }

  function line(layer, [name, value]) {
    const attribute = layer.attributes.find((one) => one.name === name);
    // What tiles carry beside the attributes of a layer.
    const ours = { key: "package_key", count: "package_count", share: "package_share" }[name];
    const title = attribute?.title ? words(attribute.title) : ours && !attribute ? t(ours) : name;
    const code = attribute?.list ? config.codes[attribute.list]?.[value] : null;
    const unit = attribute?.unit ? ` ${attribute.unit}` : "";
    return el("tr", {}, el("th", { scope: "row" }, title), el("td", {}, code ? `${words(code)} (${value})` : `${value}${unit}`));
  }

  // --- The page ------------------------------------------------------------------------------------------------

  function write() {
    document.documentElement.lang = language;
    document.title = `${words(config.title)} · ${t("package")}`;
    byId("title").textContent = words(config.title);
    byId("banner").textContent = config.banner ? words(config.banner) : "";
    document.body.classList.toggle("warned", Boolean(config.banner));
    byId("kind").textContent = `${t("package")} · ${t("package_clearance")}: ${t(`clearance_${config.clearance}`)}`;
    byId("hint").textContent = t("package_hint");
    byId("switch").textContent = t("package_switch");
    byId("layers-title").textContent = t("package_layers");
    byId("layers").replaceChildren(...config.layers.map(layerLine));
    byId("files").replaceChildren(...config.files.map(({ path, kind }) => el("li", {}, el("a", { href: path }, t(kind)), ` ${path}`)));
    byId("found").replaceChildren();
  }

  byId("switch").addEventListener("click", () => {
    language = language === "zh" ? "en" : "zh";
    write();
    map?.setStyle(style(), { diff: false });
  });
  document.addEventListener("pack-broken", (event) => {
    byId("trouble").textContent = t("package_broken", { file: event.detail });
  });
  write();
  startMap().catch((error) => {
    if (!byId("trouble").textContent) byId("trouble").textContent = `${t("package_no_map")} (${error.message})`;
  });
})();
