// Controls: made once, they show the state and ask for another.

const byId = (id) => document.getElementById(id);
const CHECKS = ["grid", "paper", "idle"];
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

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function buildControls() {
  byId("made").textContent =
    `Made by ${DATA.made_by}. A view is its address: share it with this file.`;
  byId("notes").append(...DATA.notes.map((note) => element("li", { textContent: note })));
  byId("views").append(
    ...Object.entries(VIEWS).map(([view, { short }]) => {
      const link = element("a", { textContent: short });
      link.dataset.view = view;
      return link;
    }),
  );
  byId("models").append(
    ...DATA.models.map(({ id, name }) => {
      const box = element("input", { type: "checkbox", value: id });
      box.addEventListener("change", () => go({ models: modelsChecked() }));
      return element(
        "label",
        { className: "check" },
        box,
        element("span", { className: "swatch" }),
        name,
      );
    }),
  );
  byId("choices").append(
    ...Object.entries({ ...DIMENSIONS, ...CHOICES }).map(([name, { title }]) => {
      const select = element("select", { id: name });
      select.addEventListener("change", () => go({ [name]: select.value }));
      return element(
        "div",
        { className: "choice", id: `${name}-choice` },
        element("label", { htmlFor: name, textContent: title }),
        select,
      );
    }),
  );
  for (const name of ["input", "output"]) {
    onSlide(byId(name), (slider) => ({ [name]: lengthChoices(name)[slider.valueAsNumber] }));
  }
  for (const name of CHECKS)
    byId(name).addEventListener("change", (event) => go({ [name]: event.target.checked }));
  byId("cells").addEventListener("change", (event) => go({ cells: event.target.value }));
  byId("rates").append(
    ...Object.entries(RATES).map(([name, rate]) => rateControl(name, rate)),
    currencyControl(),
  );
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address is the view's
    byId("main").focus();
  });
  byId("copy").addEventListener("click", copyLink);
  byId("csv").addEventListener("click", () =>
    download("csv", "text/csv", csvOf(entries.map(({ row }) => row))),
  );
  byId("svg").addEventListener("click", () =>
    Plotly.downloadImage("figure", { format: "svg", filename: fileName() }),
  );
  byId("table").addEventListener("toggle", renderTable);
  if (matchMedia("(max-width: 50rem)").matches) byId("controls").open = false;
}

const modelsChecked = () =>
  [...byId("models").querySelectorAll("input:checked")].map(({ value }) => value);
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
  const slider = element("input", {
    type: "range",
    min: from,
    max: to,
    step: log ? 0.05 : step,
    id: `${name}-slider`,
  });
  slider.setAttribute("aria-label", `${title}, slider`);
  onSlide(slider, () => ({
    [name]: log ? Number((10 ** slider.valueAsNumber).toPrecision(2)) : slider.valueAsNumber,
  }));
  const number = element("input", {
    type: "number",
    min,
    step: "any",
    id: name,
    placeholder: "not set",
  });
  number.addEventListener("change", () => {
    if (number.reportValidity()) go({ [name]: number.value === "" ? null : number.valueAsNumber });
  });
  return element(
    "div",
    { className: "rate" },
    element("label", { htmlFor: name, textContent: title }),
    slider,
    number,
  );
}

function currencyControl() {
  const text = element("input", {
    type: "text",
    id: "currency",
    maxLength: 8,
    placeholder: "not set",
  });
  text.addEventListener("change", () => go({ currency: text.value.trim() }));
  const label = element("label", {
    htmlFor: "currency",
    textContent: "Currency of the price, a word",
  });
  return element("div", { className: "rate" }, label, text);
}

/** Show the state in the controls, with the choices that there are. */
function syncControls(theme) {
  const used = USES[state.view];
  for (const link of byId("views").children) {
    const { view } = link.dataset;
    link.href = hashOf(settled({ ...state, view }));
    if (view === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const colours = modelColours(theme);
  for (const box of byId("models").querySelectorAll("input")) {
    box.checked = state.models.includes(box.value);
    box.nextElementSibling.style.background = colours.get(box.value);
  }
  for (const name of Object.keys(DIMENSIONS)) syncDimension(name);
  const splits = splitChoices();
  syncSelect("split", [["", "nothing"], ...splits], used.includes("split") && splits.length > 0);
  syncSelect(
    "unit",
    Object.entries(QUANTITIES).map(([id, { title }]) => [id, title]),
    used.includes("unit"),
  );
  const latencies = ["tpot", "ttft"].map((id) => [id, LATENCIES[id].title]);
  syncSelect("latency", latencies, used.includes("latency") && state.load.startsWith("r"));
  for (const name of ["input", "output"]) syncLength(name, used.includes(name));
  byId("lengths").hidden = !used.includes("input");
  byId("money").hidden = !used.includes("money");
  byId("shown").hidden = !used.includes("shown");
  byId("paper").parentElement.hidden = state.view !== "curve" || !DATA.surfaces.length;
  byId("cells-choice").hidden = !DATA.cells.length;
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
  syncSelect(
    name,
    choices.map((value) => [value, DIMENSIONS[name].say(value)]),
    shown,
  );
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
    select.replaceChildren(
      ...choices.map(([value, textContent]) => element("option", { value, textContent })),
    );
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
