// Shades: how much, in five steps that hold about as many cells each.

/** The lower bounds of the steps 2 to 5. */
function stepsOf(values) {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return [0.2, 0.4, 0.6, 0.8].map((share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
}

/** 0 for nothing, else 1 to 5. */
function stepOf(value, steps) {
  return value > 0 ? 1 + steps.filter((bound) => value > bound).length : 0;
}

function heatLegend(steps) {
  const measure = shownMeasure();
  return h(
    "p",
    { class: "heat-legend" },
    h("span", {}, "less"),
    [0, 1, 2, 3, 4, 5].map((step) => h("i", { "data-heat": step, "aria-hidden": "true" })),
    h("span", {}, steps[3] ? `more than ${measured(measure, steps[3])}` : "more"),
  );
}

const tellers = new WeakMap();

/** Show a tip over cells that carry `data-tip`, an index into what `contentOf` tells about. */
function tipsOver(element, contentOf) {
  const known = tellers.has(element);
  tellers.set(element, contentOf);
  if (known) return;
  const over = (event) => {
    const index = event.target.closest?.("[data-tip]")?.dataset.tip;
    if (index === undefined) hideTip();
    else showTip(event.clientX, event.clientY, tellers.get(element)(+index));
  };
  element.addEventListener("pointermove", over);
  element.addEventListener("pointerdown", over);
  element.addEventListener("pointerleave", hideTip);
}
