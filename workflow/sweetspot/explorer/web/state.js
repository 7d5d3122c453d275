// A view's state and its one address: each says all of the other.

/** Return the state of a page that nobody has touched. */
function firstState() {
  const withGrids = DATA.models
    .map(({ id }) => id)
    .filter((id) => DATA.grids.some(({ model }) => model === id));
  const largest = [...DATA.grids].sort(
    (a, b) =>
      (b.load.requests ?? 0) - (a.load.requests ?? 0) || b.max_batch_size - a.max_batch_size,
  )[0];
  const matching = DATA.cells.some((cell) => DATA.grids.some((grid) => sameLoad(cell, grid)));
  return {
    view: "curve",
    models: (withGrids.length ? withGrids : DATA.models.map(({ id }) => id)).slice(0, 4),
    gpu: DATA.grids[0]?.gpu ?? DATA.gpus[0]?.id,
    engine: largest?.engine,
    weights: "model",
    load: largest ? loadOf(largest.load) : "",
    batch: String(largest?.max_batch_size ?? ""),
    tp: "least",
    split: "",
    input: 512,
    output: 256,
    unit: "j",
    latency: "tpot",
    grid: true,
    paper: true,
    cells: matching ? "same" : "any",
    requests: null,
    price: null,
    currency: "",
    co2: null,
    pue: null,
    idle: false,
  };
}

/** Return a state that the data have: what was just changed stands, the rest gives way. */
function settled(wanted, changed = []) {
  const state = { ...wanted };
  state.models = DATA.models.map(({ id }) => id).filter((id) => wanted.models.includes(id));
  let grids = DATA.grids.filter(({ model }) => state.models.includes(model));
  const names = unique([
    ...changed.filter((name) => name in DIMENSIONS),
    ...Object.keys(DIMENSIONS),
  ]);
  for (const name of names) {
    const { of } = DIMENSIONS[name];
    const there = name === "gpu" ? valuesOf("gpu", state.models) : unique(grids.map(of));
    if (name === "tp" && !there.includes(state.tp)) state.tp = "least";
    else if (name !== "tp" && there.length && !there.includes(state[name]))
      state[name] = closest(name, there, state[name]);
    if (name !== "tp") grids = grids.filter((grid) => of(grid) === state[name]);
  }
  const splits = Object.keys(DIMENSIONS).filter((name) => valuesOf(name, state.models).length > 1);
  if (!splits.includes(state.split)) state.split = "";
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
  view: Object.keys(VIEWS),
  unit: Object.keys(QUANTITIES),
  latency: ["tpot", "ttft"],
  cells: ["same", "any", "none"],
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
    if (!Object.hasOwn(state, name) || name === "models") continue;
    if (Object.hasOwn(NUMBERS_IN_URL, name)) {
      const number = Number(value);
      if (Number.isFinite(number) && number >= NUMBERS_IN_URL[name]) state[name] = number;
    } else if (typeof state[name] === "boolean") state[name] = value === "true";
    else if (!Object.hasOwn(WORDS, name) || WORDS[name].includes(value)) state[name] = value;
  }
  return settled(state);
}
