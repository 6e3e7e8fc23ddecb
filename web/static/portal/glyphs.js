// Label glyphs: from the service where its font has the characters; otherwise MapLibre draws them in the browser.
// A classic script, because the map is made before modules run.
(() => {
  // The files of ranges without characters are there, but nearly empty: taken as they are, full-width brackets and
  // other marks between ideographs would be left out of labels.
  const NEARLY_EMPTY = 64;
  maplibregl.addProtocol("geoglyphs", async ({ url }, { signal }) => {
    const answer = await fetch(url.replace("geoglyphs:/", ""), { signal, credentials: "same-origin" });
    const data = await answer.arrayBuffer();
    if (!answer.ok || data.byteLength < NEARLY_EMPTY) throw new Error("the packaged font has no characters here");
    return { data };
  });

  // MapLibre 5.24 takes `actualBoundingBoxLeft` as the distance from the origin to the ink, but it is measured
  // leftwards (HTML, TextMetrics): "（", whose ink stands in the right half of its square, is drawn outside its bitmap
  // and lost. Only the canvas that glyphs are drawn on is meant; it is never part of the page.
  const correct = (kind) => {
    const measure = kind.prototype.measureText;
    kind.prototype.measureText = function measureGlyph(text) {
      const found = measure.call(this, text);
      if (this.canvas.isConnected) return found;
      const { width, actualBoundingBoxAscent, actualBoundingBoxDescent, actualBoundingBoxRight } = found;
      const actualBoundingBoxLeft = -found.actualBoundingBoxLeft;
      return { width, actualBoundingBoxAscent, actualBoundingBoxDescent, actualBoundingBoxLeft, actualBoundingBoxRight };
    };
  };
  correct(CanvasRenderingContext2D);
  if (typeof OffscreenCanvasRenderingContext2D !== "undefined") correct(OffscreenCanvasRenderingContext2D);
})();
