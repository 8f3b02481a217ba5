// Method: what the figures mean.

import { DATA } from "../lib/data.js";
import { DEFINITIONS, NOT_PUBLIC } from "../lib/definitions.js";
import { cardIn } from "../ui/card.js";
import { h } from "../ui/elements.js";
import { panel } from "../ui/panels.js";

export default panel("definitions", [], (host) => {
  const card = cardIn(host, "What the figures mean", {});
  const shown = DEFINITIONS.filter(([name]) => !DATA.public || !NOT_PUBLIC.includes(name));
  card.show(h("dl", { class: "definitions" }, shown.map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text)))));
  card.say(DATA.public ? "This page converts units and adds up what the filters choose." : "This page converts units and adds up what the filters choose; everything else is computed by dbt in the warehouse (schema strava).");
});
