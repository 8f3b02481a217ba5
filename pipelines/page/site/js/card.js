// Cards: a heading, what there is to see, a note, and the table behind it.

/** Colours as the style sheet has them now; SVG by ECharts and the canvas need them as values. */
function colours() {
  const probe = h("span", { class: "unseen" });
  document.body.append(probe);
  const of = (name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return getComputedStyle(probe).color;
  };
  const names = ["ink", "muted", "line", "grid", "card", "accent", "fatigue", "good", "band-1", "band-2", "band-3"];
  const found = Object.fromEntries(names.map((name) => [name, of(name)]));
  found.sport = Object.fromEntries(GROUPS.map((group) => [group, of(`sport-${group.toLowerCase()}`)]));
  found.heat = [1, 2, 3, 4, 5].map((level) => of(`heat-${level}`));
  probe.remove();
  return found;
}

class Card {
  /** A card in `host`; `kind` chooses a look of the style sheet. */
  constructor(host, title, { kind = "" } = {}) {
    this.host = host;
    this.title = title;
    this.heading = h("h3", {}, title);
    this.aside = h("div", { class: "aside" });
    this.note = h("p", { class: "note" });
    this.stage = h("div", { class: "stage" });
    this.behind = null;
    this.chart = null;
    this.root = h(
      "article",
      { class: `card ${kind}`.trim() },
      h("header", {}, this.heading, this.aside),
      this.stage,
      this.note,
    );
    host.replaceChildren(this.root);
  }

  say(note) {
    put(this.note, note);
    this.note.hidden = !note;
  }

  /** A sentence instead of something to see. */
  empty(sentence) {
    this.drop();
    this.aside.replaceChildren();
    this.stage.replaceChildren(h("p", { class: "empty" }, sentence));
    this.say(null);
    this.tableBehind(null);
  }

  show(...content) {
    this.drop();
    put(this.stage, ...content);
  }

  drop() {
    this.chart?.dispose();
    this.chart = null;
  }

  /** A drawing, which for who cannot see it is `label`, and the table `behind` it. */
  picture(drawing, label, behind) {
    this.show(h("div", { class: "picture", role: "img", "aria-label": label }, drawing));
    this.tableBehind(behind);
  }

  /** A chart by ECharts: made once, then told what has changed. */
  draw(option, label, behind, height) {
    if (!this.chart) {
      this.canvas = h("div", { class: "chart", role: "img" });
      this.stage.replaceChildren(this.canvas);
      this.canvas.style.setProperty("height", `${height}px`);
      this.chart = echarts.init(this.canvas, null, { renderer: "svg" });
      // a chart of a width that is being dragged need not follow at once
      new ResizeObserver(() => this.chart?.resize()).observe(this.canvas);
    }
    this.canvas.setAttribute("aria-label", label);
    this.chart.setOption(option, { notMerge: true });
    this.tableBehind(behind);
  }

  /** The table of the same figures, made when somebody opens it. `make` returns what `table` takes. */
  tableBehind(make) {
    const open = this.behind?.open ?? false;
    this.behind?.remove();
    this.behind = null;
    if (!make) return;
    const details = h("details", { class: "behind" }, h("summary", {}, "Table", h("span", { class: "unseen" }, `: ${this.title}`)));
    const build = () => {
      if (details.open && details.childElementCount === 1) details.append(table(make()));
    };
    details.addEventListener("toggle", build);
    details.open = open;
    this.root.append(details);
    this.behind = details;
    build();
  }
}

/** What all charts have in common: colours, type, no movement, tooltips of elements instead of HTML. */
function chartBase(ink) {
  const axis = {
    axisLine: { lineStyle: { color: ink.line } },
    axisTick: { show: false },
    axisLabel: { color: ink.muted, fontSize: 11, hideOverlap: true },
    splitLine: { lineStyle: { color: ink.grid } },
  };
  return {
    axis,
    // a margin for what stands under and beside the axes
    roomy: { left: 2, right: 4, top: 12, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    option: {
      animation: false,
      // by name: of "inherit" nobody can measure how wide a label is
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      tooltip: {
        trigger: "axis",
        confine: true,
        renderMode: "html",
        backgroundColor: "transparent",
        borderWidth: 0,
        padding: 0,
        className: "chart-tip",
        transitionDuration: 0,
        axisPointer: { lineStyle: { color: ink.muted, type: "solid" }, shadowStyle: { color: ink.grid, opacity: 0.5 } },
      },
    },
  };
}

/** A line as it is drawn, before its name; `kind` is how the style sheet draws it. */
function lineSample(kind) {
  return h("i", { class: "line", "data-line": kind, "aria-hidden": "true" });
}

/** A legend of `entries`, each a sign and its name. */
function legendOf(entries) {
  return h("ul", { class: "legend" }, entries.map((entry) => h("li", {}, entry)));
}

/** A legend of sports, or of what else has a colour here. */
function legend(sports) {
  return legendOf(sports.map((sport) => [dot(sport), sport]));
}

/** The switch of measures, shown where a chart can draw each of them. */
function measureName() {
  const { label, unit } = MEASURES[shownMeasure()];
  return `${label}${unit() ? ` (${unit()})` : ""}`;
}

function thin(host) {
  return host.clientWidth < 600;
}

/** The days that the filters choose. */
function chosenDays() {
  return sportDays().filter((row) => state.year === null || row.year === state.year);
}

function noneChosen() {
  return DAYS.length
    ? `No activities in this choice: ${chosenText()}.`
    : "No activities yet. They appear here after the first pull and build.";
}
