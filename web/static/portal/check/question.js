// The request about a red line.

import { config, currentLanguage } from "../state.js";
import { asOf, atTimeBody } from "../time/asked_time.js";

export const PANEL = "check";

/** Where and what is asked about a red line: JSON, or the file it came in; `form` names a document instead of the data. */
export function questionAbout(line, form = null) {
  const query = new URLSearchParams({ ...(form ? { f: form, lang: currentLanguage() } : {}), ...(line.options ?? {}), ...(line.file && asOf() ? { "as-of": asOf() } : {}) });
  const path = line.file ? `${config.urls.compliance}/file` : config.urls.compliance;
  return { url: String(query) ? `${path}?${query}` : path, body: line.file ?? atTimeBody(line.body) };
}
