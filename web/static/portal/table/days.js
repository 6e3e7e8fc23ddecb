// Days of the reader's clock: their first and last moment in UTC, and the day some time ago.

const pad = (part) => String(part).padStart(2, "0");
const written = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
const midnight = (day, later = 0) => {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later);
};
const zulu = (date) => date.toISOString().replace(".000Z", "Z");

/** The day (YYYY-MM-DD) so many days before today. */
export function dayOf(ago) {
  const now = new Date();
  return written(new Date(now.getFullYear(), now.getMonth(), now.getDate() - Number(ago)));
}

/** The day behind a day. */
export const dayAfter = (day) => written(midnight(day, 1));

/** The day before a day. */
export const dayBefore = (day) => written(midnight(day, -1));

/** First moment of a day, in UTC. */
export const startOfDay = (day) => zulu(midnight(day));

/** Last microsecond of a day, in UTC. */
export const endOfDay = (day) => new Date(midnight(day, 1).getTime() - 1).toISOString().replace("Z", "999Z");

/** The day that a moment falls on. */
export const dayAt = (text) => written(new Date(text));
