// Update cycles such as P1Y (ISO 8601) in words.

import { t } from "./state.js";

/** By the letters of a cycle: its words for one of them, and for several. */
const PERIODS = {
  PY: ["cat_yearly", "cat_years"], PM: ["cat_monthly", "cat_months"], PW: ["cat_weekly", "cat_weeks"], PD: ["cat_daily", "cat_days"],
  PTH: ["cat_hourly", "cat_hours"], PTM: ["cat_each_minute", "cat_minutes"],
};

/** A cycle such as P1Y in words, where it has one part. */
export function cycleWords(cycle) {
  const [, before, count, letter] = /^(PT?)(\d+)([YMWDH])$/.exec(cycle) ?? [];
  const found = PERIODS[`${before}${letter}`];
  if (!found) return cycle;
  return t(found[Number(count) === 1 ? 0 : 1], { n: Number(count) });
}
