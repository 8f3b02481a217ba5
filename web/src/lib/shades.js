// Shades: how much, in five steps that have about as many cells each.

/** The lower bounds of the steps 2 to 5. */
export function stepsOf(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return [0.2, 0.4, 0.6, 0.8].map((share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
}

/** 0 for nothing, else 1 to 5. */
export function stepOf(value, steps) {
  return value > 0 ? 1 + steps.filter((bound) => value > bound).length : 0;
}
