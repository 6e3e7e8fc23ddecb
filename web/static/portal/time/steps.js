// Steps of time that suit a span: from minutes to years, on whole hours, days, months and years of UTC.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MOST = 200;
const FIXED = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, DAY, 7 * DAY];
const MONTHS = [1, 3, 12, 60, 120];

function fixedSteps(first, last, step) {
  const begin = Math.floor(first / step) * step;
  return Array.from({ length: Math.floor((last - begin) / step) + 2 }, (_, place) => begin + place * step);
}

/** The beginning of a month, counted from the year 0; `Date.UTC` would take years below 100 for those of 1900. */
const monthStart = (month) => new Date(0).setUTCFullYear(Math.floor(month / 12), month % 12, 1);

function monthSteps(first, last, months) {
  const from = new Date(first);
  const month = Math.floor((from.getUTCFullYear() * 12 + from.getUTCMonth()) / months) * months;
  const found = [];
  for (let place = 0; !found.length || found.at(-1) <= last; place += 1) found.push(monthStart(month + place * months));
  return found;
}

/** The borders of the steps from the first to behind the last instant (milliseconds), at most some 200 of them. */
export function stepsOf(first, last) {
  const step = FIXED.find((one) => (last - first) / one <= MOST);
  if (step) return fixedSteps(first, last, step);
  const months = MONTHS.find((one) => (last - first) / (one * 30 * DAY) <= MOST) ?? MONTHS.at(-1);
  return monthSteps(first, last, months);
}

/** How many of the times lie in each step. */
export function countIn(steps, times) {
  const counts = new Array(steps.length - 1).fill(0);
  for (const time of times) {
    const place = steps.findLastIndex((border) => border <= time);
    if (place >= 0 && place < counts.length) counts[place] += 1;
  }
  return counts;
}
