// The page's modules under Node, without a browser: what they export, and what they draw as text.
//
// Reads a line of JSON from standard input: { data, details, hash, evaluate } and answers with the value, or what it is a
// promise of, as a line of JSON, or { error }. Expressions see what any module exports by its name, and the functions at
// the end of `open`. Elements are bare trees: enough for text, attributes and children, nothing is laid out.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import vm from "node:vm";

const [main] = process.argv.slice(2);
const sources = new Map();

class Element {
  constructor(tag) {
    this.tag = tag;
    this.attributes = {};
    this.children = [];
    this.styles = {};
    this.listeners = {};
    this.hidden = false;
    this.clientWidth = 1200;
    this.style = { setProperty: (name, value) => (this.styles[name] = value) };
    const classes = new Set();
    this.classList = { add: (name) => classes.add(name), remove: (name) => classes.delete(name), contains: (name) => classes.has(name), toggle() {} };
    this.dataset = new Proxy(this.attributes, {
      get: (known, key) => known[`data-${String(key)}`],
      set: (known, key, value) => ((known[`data-${String(key)}`] = value), true),
    });
  }
  get childElementCount() {
    return this.children.length;
  }
  get isConnected() {
    return true;
  }
  get textContent() {
    return this.children.map((child) => (child instanceof Element ? child.textContent : String(child))).join("");
  }
  set textContent(text) {
    this.children = [String(text)];
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  removeAttribute(name) {
    delete this.attributes[name];
  }
  /** As in a browser, what is no element becomes text. */
  append(...children) {
    for (const child of children) if (child instanceof Element) child.parent = this;
    this.children.push(...children.map((child) => (child instanceof Element ? child : String(child))));
  }
  replaceChildren(...children) {
    this.children = [];
    this.append(...children);
  }
  toString() {
    return "[object HTMLElement]";
  }
  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((child) => child !== this);
  }
  focus() {}
  showModal() {
    this.open = true;
  }
  close() {
    this.open = false;
  }
  matches() {
    return false;
  }
  closest() {
    return null;
  }
  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }
  /** Only the last part of a selector counts, and of that a tag or a class: as far as our scripts need it. */
  querySelectorAll(selector) {
    const part = selector.split(/[ >]+/).at(-1);
    const is = part.startsWith(".")
      ? (one) => (one.attributes.class ?? "").split(" ").includes(part.slice(1))
      : (one) => one.tag === part;
    return all(this, is);
  }
  /** A canvas that nothing is drawn on. */
  getContext() {
    return new Proxy({}, { get: () => () => ({ width: 0, addColorStop() {} }), set: () => true });
  }
  getBoundingClientRect() {
    return { width: this.clientWidth, height: 400, left: 0, top: 0 };
  }
  addEventListener(event, listener) {
    this.listeners[event] = listener;
  }
}

/** The elements of `tree` that `wanted` says yes to. */
function all(tree, wanted, found = []) {
  if (!(tree instanceof Element)) return found;
  if (wanted(tree)) found.push(tree);
  for (const child of tree.children) all(child, wanted, found);
  return found;
}

/** The module at `address` in `context`, with what it imports; `modules` has those that are there already. */
function moduleAt(address, context, modules) {
  if (modules.has(address)) return modules.get(address);
  if (!sources.has(address)) sources.set(address, readFileSync(new URL(address), "utf8"));
  const made = new vm.SourceTextModule(sources.get(address), { context, identifier: address });
  modules.set(address, made);
  return made;
}

/** The page at work on `data`, with the filters of the address after `#`. */
async function opened(data, details, hash) {
  const known = new Map();
  const element = (key) => known.get(key) ?? known.set(key, new Element(key)).get(key);
  element("#data").textContent = JSON.stringify(data);
  element("#details").textContent = details;
  const hosts = {};
  const document = {
    body: new Element("body"),
    documentElement: new Element("html"),
    activeElement: null,
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
    getElementById: (id) => element(`#${id}`),
    querySelector: (selector) => {
      const name = /^\[data-panel="(.+)"\]$/.exec(selector)?.[1];
      if (!name) return null;
      hosts[name] ??= new Element("div");
      hosts[name].dataset.panel = name;
      hosts[name].remove = () => delete hosts[name];
      return hosts[name];
    },
    querySelectorAll: () => [],
    addEventListener() {},
  };
  class Observer {
    observe() {}
  }
  const goTo = (state, _title, address) => {
    context.history.state = state;
    context.location.hash = address.slice(address.search(/#|$/));
  };
  const charts = [];
  const context = vm.createContext({
    document,
    all,
    charts,
    Node: Element,
    hosts,
    ...{ atob, Blob, DecompressionStream, Response, URLSearchParams },
    IntersectionObserver: Observer,
    ResizeObserver: Observer,
    location: { hash, href: `file:///index.html${hash}` },
    history: { state: null, replaceState: goTo, pushState: goTo },
    getComputedStyle: (probe) => ({ color: probe.styles.color, fontFamily: "Inter", getPropertyValue: () => "" }),
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    requestAnimationFrame: () => 0,
    requestIdleCallback() {},
    cancelAnimationFrame() {},
    addEventListener() {},
    devicePixelRatio: 1,
    echarts: {
      init: () => {
        const chart = { setOption: (option) => (chart.option = option), dispose() {}, resize() {} };
        charts.push(chart);
        return chart;
      },
    },
  });
  context.window = context;
  const modules = new Map();
  const page = moduleAt(pathToFileURL(main).href, context, modules);
  await page.link((name, importer) => moduleAt(new URL(name, importer.identifier).href, context, modules));
  await page.evaluate();
  for (const { namespace } of modules.values()) {
    for (const name of Object.keys(namespace)) {
      if (name !== "default") Object.defineProperty(context, name, { get: () => namespace[name], configurable: true });
    }
  }
  // what a panel shows, as text; and what its table says, row by row
  vm.runInContext(
    `const drawn = (name) => {
       draw((host) => host === hosts[name]);
       return hosts[name];
     };
     const textOf = (name) => drawn(name).textContent.replaceAll("\\u00a0", " ");
     const rowsShown = (name) => {
       for (const details of all(drawn(name), ({ tag }) => tag === "details")) {
         details.open = true;
         details.listeners.toggle?.();
       }
       return all(drawn(name), ({ tag }) => tag === "tr").map((row) =>
         row.children.map((cell) => cell.textContent.replaceAll("\\u00a0", " ")));
     };
     // what an opened activity shows, as text
     const openedText = async (id) => {
       const dialog = document.createElement("dialog");
       fillActivity(dialog, id, () => {});
       await details().then(() => null);
       return dialog.textContent.replaceAll("\\u00a0", " ");
     };
     // all that any panel says: its text, its tables, what it is called, and what its charts say under the pointer, at
     // both ends and some places between
     const everythingSaid = () => Object.keys(hosts).flatMap((name) => {
       charts.length = 0;
       rowsShown(name);
       const tree = drawn(name);
       const called = all(tree, () => true).flatMap(({ attributes }) => [attributes["aria-label"], attributes.title]);
       const tips = charts.flatMap(({ option }) => {
         const last = option.series[0].data.length - 1;
         return [0, 0.3, 0.6, 0.9, 1].map((share) => option.tooltip.formatter([{ dataIndex: Math.floor(share * last) }]).textContent);
       });
       return [textOf(name), ...called.filter(Boolean), ...tips].map((text) => name + ": " + text.replaceAll("\\u00a0", " "));
     });`,
    context,
  );
  return context;
}

let current = null;
for await (const line of createInterface({ input: process.stdin })) {
  const { data, details, hash, evaluate } = JSON.parse(line);
  try {
    if (data !== undefined) current = await opened(data, details ?? "", hash ?? "");
    const value = await vm.runInContext(evaluate, current);
    console.log(JSON.stringify({ value: value === undefined ? null : value }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.stack}` }));
  }
}
