// Walks through the pages of a collection, and looks up the polygon that holds each row of a table.
// Usage: node lookup.mjs ADDRESS POINTS.csv COLLECTION

import { readFile } from "node:fs/promises";

/** The answer to a request; problems are thrown with the sentence of the service. */
async function asked(address, options = {}) {
  const answer = await fetch(address, options);
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(`${answer.status}: ${problem.detail ?? answer.statusText}`);
  }
  return answer;
}

/** The features of a collection, page by page; all pages show one snapshot. */
export async function* items(service, collection, query = {}) {
  let address = `${service}/collections/${collection}/items?${new URLSearchParams({ limit: "1000", ...query })}`;
  while (address) {
    const page = await (await asked(address)).json();
    yield* page.features;
    address = page.links.find((one) => one.rel === "next")?.href;
  }
}

/** A table (CSV with lon and lat) with the key and attributes of the polygon that holds each row's point. */
export async function join(service, table, collection, query = {}) {
  const address = `${service}/query/join?${new URLSearchParams({ collection, ...query })}`;
  const answer = await asked(address, { method: "POST", headers: { "Content-Type": "text/csv" }, body: table });
  return answer.text();
}

async function main([service, file, collection]) {
  const { collections } = await (await asked(`${service}/collections?f=json`)).json();
  console.error(`${collections.length} collections`);
  let count = 0;
  for await (const feature of items(service, collection)) count += feature.type === "Feature" ? 1 : 0;
  console.error(`${count} features in ${collection}`);
  process.stdout.write(await join(service, await readFile(file, "utf8"), collection));
}

if (import.meta.url === `file://${process.argv[1]}`) await main(process.argv.slice(2));
