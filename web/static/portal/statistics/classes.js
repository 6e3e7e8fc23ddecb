// Classes of a choropleth: where they end, and their colours. One hue from light to dark; two hues only around zero.

const RAMP = ["#e6f0f7", "#c0daeb", "#93bedb", "#619ec8", "#377cb0", "#1b598e", "#0b3763"];
const AROUND_ZERO = ["#7a4a0c", "#b9802f", "#e3cf9f", "#f2f2f0", "#a8d5cd", "#43978c", "#0b5d52"];
const MOST_NATURAL = 800;

/** So many colours of the ramp, evenly apart. */
export function rampOf(number, colours = RAMP) {
  if (number === 1) return [colours[Math.floor(colours.length / 2)]];
  return Array.from({ length: number }, (_, at) => colours[Math.round((at * (colours.length - 1)) / (number - 1))]);
}

function equal(sorted, number) {
  const [low, high] = [sorted[0], sorted.at(-1)];
  return Array.from({ length: number }, (_, at) => (at === number - 1 ? high : low + ((at + 1) * (high - low)) / number));
}

function quantile(sorted, number) {
  return Array.from({ length: number }, (_, at) => sorted[Math.ceil(((at + 1) * sorted.length) / number) - 1]);
}

/** Fisher's exact optimum: the squared distances from the means of the classes are the smallest there are. */
function natural(sorted, number) {
  if (sorted.length > MOST_NATURAL) return quantile(sorted, number);
  const sums = [[0, 0]];
  for (const value of sorted) sums.push([sums.at(-1)[0] + value, sums.at(-1)[1] + value * value]);
  const spread = (from, to) => sums[to][1] - sums[from][1] - (sums[to][0] - sums[from][0]) ** 2 / (to - from);
  let best = sorted.map((_, at) => spread(0, at + 1));
  const cuts = [sorted.map(() => 0)];
  for (let k = 1; k < number; k += 1) {
    const row = sorted.map(() => 0);
    const next = sorted.map((_, at) => {
      let least = Infinity;
      for (let from = k; from <= at; from += 1) {
        const whole = best[from - 1] + spread(from, at + 1);
        if (whole < least) [least, row[at]] = [whole, from];
      }
      return least;
    });
    best = next;
    cuts.push(row);
  }
  const ends = [sorted.length];
  for (let k = number - 1; k > 0; k -= 1) ends.unshift(cuts[k][ends[0] - 1]);
  return ends.map((end) => sorted[end - 1]);
}

const WAYS = { equal, quantile, natural };

/** The upper ends of the classes of some values, each once, in rising order. */
export function upperEnds(values, method, number) {
  const sorted = [...values].sort((a, b) => a - b);
  const several = Math.min(number, new Set(sorted).size);
  return several ? [...new Set(WAYS[method](sorted, several))] : [];
}

/** Classes as [{low, high, colour, count, from, to}], the last two what lies in them; `around` makes them symmetric around zero. */
export function classesOf(values, method, number, around = false) {
  if (!values.length) return [];
  const ends = around ? aroundZero(values) : upperEnds(values, method, number);
  const colours = rampOf(ends.length, around ? AROUND_ZERO : RAMP);
  const low = around ? -ends.at(-1) : Math.min(...values);
  const made = ends.map((high, at) => ({ low: at ? ends[at - 1] : low, high, colour: colours[at], count: 0 }));
  for (const value of values) {
    const mine = made[placeOf(value, made)];
    mine.count += 1;
    mine.from = Math.min(mine.from ?? value, value);
    mine.to = Math.max(mine.to ?? value, value);
  }
  return made;
}

function aroundZero(values) {
  const most = Math.max(...values.map(Math.abs)) || 1;
  return AROUND_ZERO.map((_, at) => most * ((2 * (at + 1)) / AROUND_ZERO.length - 1));
}

/** Place of the class of a value. */
export function placeOf(value, classes) {
  const at = classes.findIndex((one) => value <= one.high);
  return at < 0 ? classes.length - 1 : at;
}
