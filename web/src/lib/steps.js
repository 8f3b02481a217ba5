// Steps: of shades, and of what an axis shows.

/**
 * Shades show how much in five steps that have about as many cells each: the lower bounds of the steps 2 to 5.
 *
 * @param {number[]} values
 */
export function stepsOf(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return [0.2, 0.4, 0.6, 0.8].map((share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
}

/**
 * 0 for nothing, else 1 to 5.
 *
 * @param {number} value
 * @param {number[]} steps
 */
export function stepOf(value, steps) {
  return value > 0 ? 1 + steps.filter((bound) => value > bound).length : 0;
}

/**
 * The least of 1, 2, 5, 10, 20 … that is no less than `least`.
 *
 * @param {number} least
 */
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return power * ([1, 2, 5].find((step) => step * power >= least) ?? 10);
}
