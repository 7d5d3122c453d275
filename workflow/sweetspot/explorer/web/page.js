// The page: a state is a URL, a URL a view. Controls change the state, and nothing else does.

const byId = (id) => document.getElementById(id);
const CHECKS = ["grid", "paper", "idle"];
const PLOTS = { curve: curvePlot, map: mapPlot, power: powerPlot, pareto: paretoPlot, cost: costPlot };
const USES = {
  // which controls beside models and dimensions a view has
  curve: ["input", "split", "unit", "shown"],
  map: ["split", "unit"],
  power: ["input", "split", "shown"],
  pareto: ["input", "output", "latency"],
  cost: ["input", "output", "split", "money"],
};
const CHOICES = {
  split: { title: "Compare, beside models" },
  unit: { title: "As" },
  latency: { title: "Latency" },
};

/** Return the state of a page that nobody has touched. */
function firstState() {
  const withGrids = DATA.models.map(({ id }) => id).filter((id) => DATA.grids.some(({ model }) => model === id));
  const largest = [...DATA.grids].sort(
    (a, b) => (b.load.requests ?? 0) - (a.load.requests ?? 0) || b.max_batch_size - a.max_batch_size,
  )[0];
  const matching = DATA.cells.some((cell) => DATA.grids.some((grid) => sameLoad(cell, grid)));
  return {
    view: "curve",
    models: (withGrids.length ? withGrids : DATA.models.map(({ id }) => id)).slice(0, 4),
    gpu: DATA.grids[0]?.gpu ?? DATA.gpus[0]?.id,
    engine: largest?.engine, weights: "model", load: largest ? loadOf(largest.load) : "",
    batch: String(largest?.max_batch_size ?? ""), tp: "least", split: "", input: 512, output: 256,
    unit: "j", latency: "tpot", grid: true, paper: true, cells: matching || !DATA.grids.length ? "same" : "any",
    requests: null, price: null, currency: "", co2: null, pue: null, idle: false,
  };
}

/** Return a state that the data have: what was just changed stands, the rest gives way. */
function settled(wanted, changed = []) {
  const state = { ...wanted };
  state.models = DATA.models.map(({ id }) => id).filter((id) => wanted.models.includes(id));
  let grids = DATA.grids.filter(({ model }) => state.models.includes(model));
  const names = unique([...changed.filter((name) => name in DIMENSIONS), ...Object.keys(DIMENSIONS)]);
  for (const name of names) {
    const { of } = DIMENSIONS[name];
    const there = name === "gpu" ? valuesOf("gpu", state.models) : unique(grids.map(of));
    if (name === "tp" && !there.includes(state.tp)) state.tp = "least";
    else if (name !== "tp" && there.length && !there.includes(state[name])) state[name] = closest(name, there, state[name]);
    if (name !== "tp") grids = grids.filter((grid) => of(grid) === state[name]);
  }
  if (!(state.split in DIMENSIONS) || valuesOf(state.split, state.models).length < 2) state.split = "";
  if (state.models.length) {
    state.input = nearest(inputChoices(state), state.input);
    state.output = nearest(outputChoices(state), state.output);
  }
  return state;
}

/** Return the value nearest to what is wanted, if it has a size; else the first. */
function closest(name, there, wanted) {
  if (name === "batch") return String(nearest(there.map(Number), Number(wanted) || 1));
  if (name === "load") {
    const same = there.filter((load) => load[0] === wanted?.[0]);
    return same.find((load) => load === wanted) ?? same.at(-1) ?? there[0];
  }
  return there[0];
}

// State and URL

const NUMBERS_IN_URL = { input: 1, output: 1, requests: 1, price: 0, co2: 0, pue: 1 };
const WORDS = {
  view: Object.keys(VIEWS), unit: Object.keys(QUANTITIES), latency: ["tpot", "ttft"], cells: ["same", "any", "none"],
};

/** Return the one URL fragment of a state. */
function hashOf(state) {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (name === "models") (value.length ? value : [""]).forEach((id) => said.append("model", id));
    else if (value !== null && value !== "" && value !== undefined) said.set(name, String(value));
  }
  return `#${said}`;
}

/** Return the state that a fragment says; what it does not, or wrongly, is as at first. */
function stateOf(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const state = firstState();
  if (said.has("model")) state.models = said.getAll("model");
  for (const [name, value] of said) {
    if (!(name in state) || name === "models") continue;
    if (name in NUMBERS_IN_URL) {
      const number = Number(value);
      if (Number.isFinite(number) && number >= NUMBERS_IN_URL[name]) state[name] = number;
    } else if (typeof state[name] === "boolean") state[name] = value === "true";
    else if (!(name in WORDS) || WORDS[name].includes(value)) state[name] = value;
  }
  return settled(state);
}

let state = null;

/** Go to a state: a step for the back button, or in the same step while a slider moves. */
function go(patch, { same = false } = {}) {
  state = settled({ ...state, ...patch }, Object.keys(patch));
  const hash = hashOf(state);
  if (hash !== location.hash) {
    if (same) location.replace(hash);
    else location.hash = hash;
  }
  render();
}

function followUrl() {
  if (location.hash === "#figure") return; // the link that skips the controls
  if (state && location.hash === hashOf(state)) return;
  state = stateOf(location.hash);
  if (location.hash !== hashOf(state)) location.replace(hashOf(state));
  render();
}

// Controls

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function buildControls() {
  byId("made").textContent = `Made by ${DATA.made_by}. A view is its address: share it with this file.`;
  byId("notes").append(...DATA.notes.map((note) => element("li", { textContent: note })));
  byId("models").append(...DATA.models.map(({ id, name }) => {
    const box = element("input", { type: "checkbox", value: id });
    box.addEventListener("change", () => go({ models: modelsChecked() }));
    return element("label", { className: "check" }, box, element("span", { className: "swatch" }), name);
  }));
  byId("choices").append(...Object.entries({ ...DIMENSIONS, ...CHOICES }).map(([name, { title }]) => {
    const select = element("select", { id: name });
    select.addEventListener("change", () => go({ [name]: select.value }));
    return element("div", { className: "choice", id: `${name}-choice` }, element("label", { htmlFor: name, textContent: title }), select);
  }));
  for (const name of ["input", "output"]) {
    onSlide(byId(name), (slider) => ({ [name]: lengthChoices(name)[slider.valueAsNumber] }));
  }
  for (const name of CHECKS) byId(name).addEventListener("change", (event) => go({ [name]: event.target.checked }));
  byId("cells").addEventListener("change", (event) => go({ cells: event.target.value }));
  byId("rates").append(...Object.entries(RATES).map(([name, rate]) => rateControl(name, rate)), currencyControl());
  byId("copy").addEventListener("click", copyLink);
  byId("csv").addEventListener("click", () => download("csv", "text/csv", csvOf(entries.map(({ row }) => row))));
  byId("svg").addEventListener("click", () => Plotly.downloadImage("figure", { format: "svg", filename: fileName(), ...byId("figure")._fullLayout && sizeOf() }));
  byId("table").addEventListener("toggle", renderTable);
  if (matchMedia("(max-width: 50rem)").matches) byId("controls").open = false;
}

const modelsChecked = () => [...byId("models").querySelectorAll("input:checked")].map(({ value }) => value);
const lengthChoices = (name) => (name === "input" ? inputChoices : outputChoices)(state);

/** Follow a slider as it moves: one step for the back button in all. */
function onSlide(slider, patch) {
  let sliding = false;
  slider.addEventListener("input", () => {
    go(patch(slider), { same: sliding });
    sliding = true;
  });
  slider.addEventListener("change", () => (sliding = false));
}

function rateControl(name, { title, low, high, log, step, min }) {
  const [from, to] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  const slider = element("input", { type: "range", min: from, max: to, step: log ? 0.05 : step, id: `${name}-slider` });
  slider.setAttribute("aria-label", `${title}, slider`);
  onSlide(slider, () => ({ [name]: log ? Number((10 ** slider.valueAsNumber).toPrecision(2)) : slider.valueAsNumber }));
  const number = element("input", { type: "number", min, step: "any", id: name, placeholder: "not set" });
  number.addEventListener("change", () => go({ [name]: number.value === "" || number.valueAsNumber < min ? null : number.valueAsNumber }));
  return element("div", { className: "rate" }, element("label", { htmlFor: name, textContent: title }), slider, number);
}

function currencyControl() {
  const text = element("input", { type: "text", id: "currency", maxLength: 8, placeholder: "not set" });
  text.addEventListener("change", () => go({ currency: text.value.trim() }));
  const label = element("label", { htmlFor: "currency", textContent: "Currency of the price, a word" });
  return element("div", { className: "rate" }, label, text);
}

/** Show the state in the controls, with the choices that there are. */
function syncControls(theme) {
  const used = USES[state.view];
  byId("views").replaceChildren(...Object.entries(VIEWS).map(([view, title]) => {
    const link = element("a", { href: hashOf(settled({ ...state, view })), textContent: title });
    if (view === state.view) link.setAttribute("aria-current", "page");
    return link;
  }));
  const colours = coloursOf(DATA.models.filter(({ id }) => state.models.includes(id)).map(({ id }) => ({ model: id })), theme);
  for (const box of byId("models").querySelectorAll("input")) {
    box.checked = state.models.includes(box.value);
    const colour = [...colours].find(([{ model }]) => model === box.value)?.[1];
    box.nextElementSibling.style.background = colour ?? theme.line;
  }
  for (const name of Object.keys(DIMENSIONS)) syncDimension(name);
  syncSelect("split", [["", "nothing"], ...splitChoices()], used.includes("split"));
  syncSelect("unit", Object.entries(QUANTITIES).map(([id, { title }]) => [id, title]), used.includes("unit"));
  const latencies = ["tpot", "ttft"].map((id) => [id, LATENCIES[id].title]);
  syncSelect("latency", latencies, used.includes("latency") && state.load.startsWith("r"));
  for (const name of ["input", "output"]) syncLength(name, used.includes(name));
  byId("lengths").hidden = !used.includes("input");
  byId("money").hidden = !used.includes("money");
  byId("shown").hidden = !used.includes("shown");
  for (const name of CHECKS) byId(name).checked = state[name];
  byId("cells").value = state.cells;
  for (const [name, rate] of Object.entries(RATES)) syncRate(name, rate);
  byId("currency").value = state.currency;
}

const splitChoices = () =>
  Object.entries(DIMENSIONS)
    .filter(([name]) => valuesOf(name, state.models).length > 1)
    .map(([name, { title }]) => [name, title]);

function syncDimension(name) {
  const values = valuesOf(name, state.models);
  const choices = name === "tp" ? ["least", ...values] : values;
  const free = state.split !== name && (state.view !== "pareto" || name === "load");
  const shown = free && (name === "tp" ? severalSharings() : values.length > 1);
  syncSelect(name, choices.map((value) => [value, DIMENSIONS[name].say(value)]), shown);
}

/** Return whether any model is there on several numbers of boards, all else the same. */
const severalSharings = () =>
  state.models.some((model) => {
    const here = DATA.grids.filter((grid) => grid.model === model && grid.gpu === state.gpu);
    return unique(here.map((grid) => grid.tensor_parallel)).length > 1;
  });

function syncSelect(name, choices, shown) {
  const select = byId(name);
  byId(`${name}-choice`).hidden = !shown;
  if (select.dataset.choices !== JSON.stringify(choices)) {
    select.dataset.choices = JSON.stringify(choices);
    select.replaceChildren(...choices.map(([value, textContent]) => element("option", { value, textContent })));
  }
  select.value = state[name];
}

function syncLength(name, shown) {
  const [slider, said] = [byId(name), byId(`${name}-said`)];
  slider.hidden = slider.labels[0].hidden = !shown;
  const choices = lengthChoices(name);
  slider.max = choices.length - 1;
  slider.value = choices.indexOf(state[name]);
  slider.setAttribute("aria-valuetext", `${count(state[name])} tokens`);
  said.textContent = count(state[name]);
}

function syncRate(name, { low, log }) {
  const [slider, value] = [byId(`${name}-slider`), state[name]];
  slider.value = value === null ? slider.min : log ? Math.log10(value) : value;
  slider.setAttribute("aria-valuetext", value === null ? "not set" : String(value));
  byId(name).value = value ?? "";
}

// What is shown

let entries = [];
const sizeOf = () => ({ width: byId("figure").clientWidth, height: byId("figure")._fullLayout.height });

function render() {
  const theme = themeOf();
  entries = entriesOf(state);
  syncControls(theme);
  byId("heading").textContent = VIEWS[state.view];
  document.title = `${VIEWS[state.view]}: ${DATA.title}`;
  byId("sentence").textContent = sentenceOf(state, entries);
  byId("reading").textContent = readingOf(state, entries);
  byId("figure").setAttribute("aria-label", altText(state, entries));
  draw(theme);
  renderTable();
}

function draw(theme) {
  const figure = byId("figure");
  const { traces, layout } = entries.length
    ? PLOTS[state.view](state, entries, theme, figure.clientWidth)
    : { traces: [], layout: { ...layoutOf(theme, figure.clientWidth, 320), xaxis: { visible: false }, yaxis: { visible: false } } };
  Plotly.react(figure, traces, layout, { displayModeBar: false, displaylogo: false });
}

function renderTable() {
  const holder = byId("table").querySelector(".scroll");
  if (!byId("table").open) return holder.replaceChildren();
  const rows = entries.map(({ row }) => row);
  const columns = columnsOf(rows);
  const kind = Object.fromEntries(columns.map((name) => [name, rows.some((row) => typeof row[name] === "string") ? "text" : ""]));
  const head = columns.map((name) => element("th", { scope: "col", className: kind[name], textContent: HEADINGS[name] }));
  const said = (value) => (typeof value === "number" && !Number.isInteger(value) ? fmt(value) : (value ?? ""));
  const body = rows.map((row) => element("tr", {}, ...columns.map((name) => element("td", { className: kind[name], textContent: said(row[name]) }))));
  holder.replaceChildren(element("table", {}, element("caption", { className: "quiet", textContent: `${VIEWS[state.view]}: ${choiceInWords(state)}` }), element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

const fileName = () => `explorer-${state.view}`;

function download(extension, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: address, download: `${fileName()}.${extension}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
  byId("done").textContent = `Saved ${fileName()}.${extension}.`;
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    byId("done").textContent = "Copied.";
  } catch {
    byId("done").textContent = `This browser lets no page copy: the link is in its address bar.`;
  }
}

/** Draw anew where colours or the width have changed. */
function redraw() {
  if (byId("figure").clientWidth) draw(themeOf());
}

buildControls();
followUrl();
performance.mark("first-plot");
addEventListener("hashchange", followUrl);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
let widthDrawn = byId("figure").clientWidth;
new ResizeObserver(() => {
  if (byId("figure").clientWidth === widthDrawn) return;
  widthDrawn = byId("figure").clientWidth;
  redraw();
}).observe(byId("figure"));
addEventListener("beforeprint", () => {
  document.documentElement.dataset.print = ""; // paper is white
  redraw();
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  redraw();
});
