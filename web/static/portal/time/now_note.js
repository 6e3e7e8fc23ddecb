// What does not follow the date of the map says so where it is shown.

import { t } from "../state.js";
import { el } from "../dom.js";
import { asOf } from "./asked_time.js";

/** A line that says that what stands here is of today; null while the map shows today, too. */
export const nowNote = (key = "as_of_not_here") => (asOf() ? el("p", { className: "hint past-hint", dataset: { now: key } }, t(key)) : null);
