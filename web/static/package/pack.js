// Packed files: bytes that lie in script files, because a page opened from a folder may not fetch any other. A file is
// cut into chunks; a chunk is loaded when something of it is wanted.
"use strict";

const pack = (() => {
  const KEPT = 96;
  const files = new Map();
  const chunks = new Map();
  const waiting = new Map();

  /** Says how a file was cut: `size` in bytes, `chunk` bytes per chunk. */
  function file(name, size, chunk) {
    files.set(name, { size, chunk });
  }

  /** Called by the script of a chunk. */
  function chunk(name, number, text) {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at += 1) bytes[at] = raw.charCodeAt(at);
    waiting.get(`${name}-${number}`)?.keep(bytes);
  }

  function load(name, number) {
    const key = `${name}-${number}`;
    const known = chunks.get(key);
    if (known) {
      // The last one asked for is the last one to go.
      chunks.delete(key);
      chunks.set(key, known);
      return known;
    }
    const promise = new Promise((keep, fail) => {
      const script = document.createElement("script");
      waiting.set(key, { keep });
      script.src = `page/data/${key}.js`;
      script.onload = () => script.remove();
      script.onerror = () => {
        chunks.delete(key);
        document.dispatchEvent(new CustomEvent("pack-broken", { detail: `page/data/${key}.js` }));
        fail(new Error(`${key}.js is missing`));
      };
      document.head.append(script);
    }).finally(() => waiting.delete(key));
    chunks.set(key, promise);
    if (chunks.size > KEPT) chunks.delete(chunks.keys().next().value);
    return promise;
  }

  /** Some bytes of a file. */
  async function read(name, offset, length) {
    const { chunk: size } = files.get(name);
    const first = Math.floor(offset / size);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / size);
    const found = new Uint8Array(length);
    for (let number = first; number <= last; number += 1) {
      const bytes = await load(name, number);
      const start = number * size;
      const from = Math.max(offset - start, 0);
      const to = Math.min(offset + length - start, bytes.length);
      found.set(bytes.subarray(from, to), start + from - offset);
    }
    return found;
  }

  const whole = (name) => read(name, 0, files.get(name).size);
  const has = (name) => files.has(name);

  async function unzip(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  return { file, chunk, read, whole, has, unzip };
})();

// Reads PMTiles, version 3, from a packed file.
class PackedTiles {
  constructor(name) {
    this.name = name;
    this.directories = new Map();
  }

  async header() {
    this.head ??= pack.read(this.name, 0, 127).then((bytes) => {
      const view = new DataView(bytes.buffer);
      const number = (at) => Number(view.getBigUint64(at, true));
      return { root: [number(8), number(16)], leaves: number(40), data: number(56), zipped: view.getUint8(98) === 2 };
    });
    return this.head;
  }

  directory(offset, length) {
    const key = `${offset}`;
    if (!this.directories.has(key)) {
      this.directories.set(key, pack.read(this.name, offset, length).then(pack.unzip).then(PackedTiles.entries));
    }
    return this.directories.get(key);
  }

  /** Entries of a directory: tile number, offset, length, how many tiles in a row. */
  static entries(bytes) {
    let at = 0;
    const next = () => {
      let value = 0;
      let factor = 1;
      for (;;) {
        const byte = bytes[at];
        at += 1;
        value += (byte & 127) * factor;
        if (byte < 128) return value;
        factor *= 128;
      }
    };
    const number = next();
    const found = Array.from({ length: number }, () => ({}));
    let id = 0;
    for (const entry of found) entry.id = id += next();
    for (const entry of found) entry.run = next();
    for (const entry of found) entry.length = next();
    found.forEach((entry, place) => {
      const value = next();
      const before = found[place - 1];
      entry.offset = value === 0 && before ? before.offset + before.length : value - 1;
    });
    return found;
  }

  /** Number of a tile on the Hilbert curves of all zoom levels. */
  static number(z, column, row) {
    let [x, y] = [column, row];
    let found = (4 ** z - 1) / 3;
    for (let side = 2 ** (z - 1); side >= 1; side /= 2) {
      const right = Math.floor(x / side) % 2;
      const low = Math.floor(y / side) % 2;
      found += side * side * ((3 * right) ^ low);
      if (low === 0) {
        if (right === 1) [x, y] = [side - 1 - (x % side), side - 1 - (y % side)];
        [x, y] = [y, x];
      }
    }
    return found;
  }

  static find(entries, id) {
    let [low, high] = [0, entries.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (entries[middle].id <= id) low = middle + 1;
      else high = middle - 1;
    }
    const entry = entries[high];
    if (!entry) return null;
    return entry.run === 0 || id < entry.id + entry.run ? entry : null;
  }

  /** The bytes of a tile, unpacked; null where there is none. */
  async tile(z, x, y) {
    const head = await this.header();
    const id = PackedTiles.number(z, x, y);
    let [offset, length] = head.root;
    for (let depth = 0; depth < 4; depth += 1) {
      const entry = PackedTiles.find(await this.directory(offset, length), id);
      if (!entry) return null;
      if (entry.run > 0) {
        const bytes = await pack.read(this.name, head.data + entry.offset, entry.length);
        return head.zipped ? pack.unzip(bytes) : bytes;
      }
      [offset, length] = [head.leaves + entry.offset, entry.length];
    }
    return null;
  }
}
