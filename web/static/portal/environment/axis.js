// Round numbers and round times for the edges of a chart.

import { currentLanguage } from "../state.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STEPS = [HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY];
const MONTHS = [1, 2, 3, 6, 12, 24, 60];
const LINES = 4;

/** About four round numbers in a range. */
export function valueTicks(low, high) {
  const rough = (high - low) / LINES;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((nice) => nice * power).find((nice) => nice >= rough);
  const ticks = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) ticks.push(Number((at * step).toPrecision(12)));
  return ticks;
}

function midnight(time) {
  const day = new Date(time);
  day.setHours(0, 0, 0, 0);
  return day;
}

function monthly([from, to], most) {
  const months = (to - from) / (30.4 * DAY);
  const step = MONTHS.find((one) => months / one <= most) ?? MONTHS.at(-1);
  const at = midnight(from);
  at.setDate(1);
  at.setMonth(Math.floor(at.getMonth() / step) * step);
  const ticks = [];
  for (; at.getTime() <= to; at.setMonth(at.getMonth() + step)) if (at.getTime() >= from) ticks.push(at.getTime());
  return ticks;
}

/** Round local times in a span, at most `most` of them. */
export function timeTicks(span, most) {
  const [from, to] = span;
  const step = STEPS.find((one) => (to - from) / one <= most);
  if (!step) return monthly(span, most);
  const ticks = [];
  for (let time = midnight(from).getTime(); time <= to; time += step) if (time >= from) ticks.push(time);
  return ticks;
}

/** A time as short as the span allows. */
export function axisText(time, [from, to]) {
  const locale = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  const long = to - from;
  const shape = long > 300 * DAY ? { year: "numeric", month: "2-digit" } : long > 2 * DAY ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(locale, shape).format(new Date(time));
}
