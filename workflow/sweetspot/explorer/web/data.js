"use strict";
// What is in the page's data, and the rows of it that a view is made of.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MODELS = new Map(DATA.models.map((each) => [each.id, each]));
const GPUS = new Map(DATA.gpus.map((each) => [each.id, each]));
const engineName = (id) => DATA.engines[id] ?? id;

const loadOf = ({ requests, rate }) => (rate === undefined ? `n${requests}` : `r${rate}`);
const loadInWords = (load) =>
  load.startsWith("n")
    ? `${count(Number(load.slice(1)))} request${load === "n1" ? "" : "s"} at once`
    : `${short(Number(load.slice(1)))} request${load === "r1" ? "" : "s"}/s`;

// What tells grids of a model apart, in the order in which a choice gives way to what is there.
const DIMENSIONS = {
  gpu: { title: "Board", of: (grid) => grid.gpu, say: (id) => GPUS.get(id)?.name ?? id },
  engine: { title: "Engine", of: (grid) => grid.engine, say: engineName },
  weights: {
    title: "Precision of weights",
    of: (grid) => grid.weights,
    say: (id) => (id === "model" ? "the model's own" : id.toUpperCase()),
  },
  load: { title: "Load", of: (grid) => loadOf(grid.load), say: loadInWords },
  batch: {
    title: "Largest batch, requests",
    of: (grid) => String(grid.max_batch_size),
    say: (size) => count(Number(size)),
  },
  tp: {
    title: "Boards that share a model",
    of: (grid) => String(grid.tensor_parallel),
    say: (size) => (size === "least" ? "the fewest that hold it" : size),
  },
};
const SPLIT_LABEL = {
  gpu: (id) => shortBoard(id),
  engine: engineName,
  weights: (id) => (id === "model" ? "own precision" : id.toUpperCase()),
  load: loadInWords,
  batch: (size) => `batch ≤ ${size}`,
  tp: (size) => `${size} board${size === "1" ? "" : "s"}`,
};

const unique = (values) => [...new Set(values)];
const byNumber = (values) => unique(values).sort((a, b) => a - b);
const inputsOf = (grid) => grid.input_tokens ?? DATA.input_tokens;
const outputsOf = (grid) => grid.output_tokens ?? DATA.output_tokens;
const shortBoard = (id) => (GPUS.get(id)?.name ?? id).replace(/^NVIDIA /, "");
const modelName = (id) => MODELS.get(id)?.name ?? id;

/** Return the member of a rising list that is nearest to a number by ratio. */
function nearest(values, wanted) {
  const distance = (value) => Math.abs(Math.log(value / wanted));
  return values.reduce(
    (best, value) => (distance(value) < distance(best) ? value : best),
    values[0],
  );
}

/** Return the values of a dimension that grids of the chosen models have. */
function valuesOf(dimension, models) {
  const grids = DATA.grids.filter((grid) => models.includes(grid.model));
  const found = unique(grids.map(DIMENSIONS[dimension].of));
  if (dimension === "gpu") {
    const cells = DATA.cells.filter((cell) => models.includes(cell.model));
    return unique([...found, ...cells.map((cell) => cell.gpu)]);
  }
  if (dimension === "load") return found.sort((a, b) => loadRank(a) - loadRank(b));
  if (dimension === "batch" || dimension === "tp") return found.sort((a, b) => a - b);
  return found;
}

const loadRank = (load) => Number(load.slice(1)) + (load.startsWith("r") ? 1e12 : 0);

/** Return the grid of a model at a choice of all dimensions, or undefined. */
function gridOf(model, choice) {
  const fits = DATA.grids.filter(
    (grid) =>
      grid.model === model &&
      Object.entries(DIMENSIONS).every(
        ([name, { of }]) => of(grid) === choice[name] || (name === "tp" && choice.tp === "least"),
      ),
  );
  return fits.sort((a, b) => a.tensor_parallel - b.tensor_parallel)[0];
}

/** Return the chosen grids, one a model or one a model and split, each with a name and a short one. */
function seriesOf(state) {
  const values = state.split ? valuesOf(state.split, state.models) : [undefined];
  const found = [];
  for (const model of state.models) {
    for (const value of values) {
      const grid = gridOf(model, state.split ? { ...state, [state.split]: value } : state);
      if (!grid) continue;
      const own = state.split ? SPLIT_LABEL[state.split](value) : "";
      const name = [modelName(model), own].filter(Boolean).join(", ");
      found.push({ model, grid, name, label: state.models.length > 1 ? name : own || name });
    }
  }
  return found;
}

/** Return the boards that a view is of. */
const boardsOf = (state) =>
  state.split === "gpu" || state.view === "pareto" ? valuesOf("gpu", state.models) : [state.gpu];

/** Return the cells that a view may show, at any length. */
function cellsOf(state) {
  if (state.cells === "none") return [];
  const boards = boardsOf(state);
  const series = seriesOf(state);
  return DATA.cells.filter(
    (cell) =>
      state.models.includes(cell.model) &&
      boards.includes(cell.gpu) &&
      (state.cells === "any" || series.some(({ grid }) => sameLoad(cell, grid))),
  );
}

const sameLoad = (cell, grid) =>
  cell.model === grid.model &&
  cell.gpu === grid.gpu &&
  cell.engine === grid.engine &&
  cell.requests === grid.load.requests &&
  cell.max_batch_size === grid.max_batch_size;

/** Return the grids that a view takes its lengths from. */
function gridsOf(state) {
  return state.view === "pareto" ? rivalsOf(state) : seriesOf(state).map(({ grid }) => grid);
}

/** Return the grids of the chosen models under a load of the same kind, whatever serves it. */
function rivalsOf(state) {
  const same = (load) => (state.load.startsWith("r") ? load.startsWith("r") : load === state.load);
  return DATA.grids.filter((grid) => state.models.includes(grid.model) && same(loadOf(grid.load)));
}

/** Return the input lengths that can be chosen. */
function inputChoices(state) {
  const cells = ["curve", "power"].includes(state.view) ? cellsOf(state) : [];
  const found = [
    ...(state.grid || !cells.length ? gridsOf(state).flatMap(inputsOf) : []),
    ...cells.map((cell) => cell.input_tokens),
  ];
  return byNumber(found.length ? found : DATA.input_tokens);
}

/** Return the output lengths that can be chosen. */
function outputChoices(state) {
  const found = gridsOf(state).flatMap(outputsOf);
  return byNumber(found.length ? found : DATA.output_tokens);
}

// Rows: what is plotted, as a table and CSV have it. A row's names are the columns of the CSV.

function gridRow(grid, i, o) {
  const at = (name) => grid[name]?.[i]?.[o] ?? null;
  return {
    what: "grid",
    evidence: "simulated",
    model: grid.model,
    gpu: grid.gpu,
    engine: grid.engine,
    weights: grid.weights,
    tensor_parallel: grid.tensor_parallel,
    max_batch_size: grid.max_batch_size,
    requests: grid.load.requests ?? null,
    rate_per_s: grid.load.rate ?? null,
    input_tokens: inputsOf(grid)[i],
    output_tokens: outputsOf(grid)[o],
    ...energy(at("energy_per_token_j"), grid.energy_factor),
    mean_power_w: at("mean_power_w"),
    throughput_tokens_per_s: at("throughput_tokens_per_s"),
    ttft_p95_s: at("ttft_p95_s"),
    tpot_p95_s: at("tpot_p95_s"),
    energy_interval: grid.energy_interval,
    source: grid.source,
  };
}

const energy = (value, factor) => ({
  energy_per_token_j: value,
  energy_low_j: value === null ? null : value / factor,
  energy_high_j: value === null ? null : value * factor,
});

function spotRow(grid, i) {
  const spot = grid.sweet_spots?.[i];
  if (!spot) return null;
  return {
    ...gridRow(grid, i, -1),
    what: spot.at_bound ? "end of the search" : "sweet spot",
    output_tokens: spot.output_tokens,
    ...energy(spot.energy_per_token_j ?? null, grid.energy_factor),
    range_low_tokens: spot.low,
    range_high_tokens: spot.high,
    eq6_tokens: spot.eq6_tokens ?? null,
  };
}

function cellRow(cell) {
  const { simulated, spread, ...known } = cell;
  return {
    what: "cell",
    evidence: simulated ? "simulated" : "measured",
    ...known,
    ...(spread === undefined ? {} : { relative_std: spread }),
  };
}

function surfaceRow(surface, inputs, outputs) {
  const [a0, a1, a2, a3, a4, a5] = surface.coefficients;
  const value =
    a0 + (a1 * inputs ** 2) / outputs + a2 * inputs + (a3 * inputs + a5) / outputs + a4 * outputs;
  return {
    what: "surface",
    evidence: "published",
    model: surface.model,
    gpu: surface.gpu,
    max_batch_size: surface.max_batch_size,
    requests: surface.requests,
    input_tokens: inputs,
    output_tokens: outputs,
    energy_per_token_j: Number(value.toPrecision(4)),
    source: `${surface.source}, ${surface.form}`,
  };
}

const POINTS_OF_SURFACE = 41;

/** Return a published curve at an input length; nothing where it was not fitted. */
function surfaceRows(surface, inputs) {
  const [[least, most], [low, high]] = [surface.input_tokens, surface.output_tokens];
  if (inputs < least || inputs > most) return [];
  return Array.from({ length: POINTS_OF_SURFACE }, (_, place) =>
    surfaceRow(
      surface,
      inputs,
      Math.round(low * (high / low) ** (place / (POINTS_OF_SURFACE - 1))),
    ),
  ).filter((row) => row.energy_per_token_j > 0);
}

/** Return the rows of a grid at an input length, those that are known. */
function alongOutput(grid, inputs, known) {
  const i = inputsOf(grid).indexOf(inputs);
  if (i < 0) return [];
  return outputsOf(grid)
    .map((_, o) => gridRow(grid, i, o))
    .filter((row) => row[known] !== null);
}

/** Return what a view shows: entries of a row and, where it has one, its series. */
function entriesOf(state) {
  const series = seriesOf(state);
  const shown = state.grid ? series : [];
  const cells = cellsOf(state)
    .filter((cell) => cell.input_tokens === state.input)
    .map((cell) => ({ row: cellRow(cell), series: seriesOfCell(series, cell, state) }));
  if (state.view === "curve") {
    const published = DATA.surfaces.filter(
      (each) => state.models.includes(each.model) && boardsOf(state).includes(each.gpu),
    );
    return [
      ...shown.flatMap((each) =>
        [
          ...alongOutput(each.grid, state.input, "energy_per_token_j"),
          spotRow(each.grid, inputsOf(each.grid).indexOf(state.input)),
        ]
          .filter(Boolean)
          .map((row) => ({ row, series: each })),
      ),
      ...cells.filter(({ row }) => row.energy_per_token_j > 0),
      ...(state.paper ? published : []).flatMap((each) =>
        surfaceRows(each, state.input).map((row) => ({
          row,
          series: seriesOfCell(series, each, { cells: "any" }),
        })),
      ),
    ];
  }
  if (state.view === "power") {
    return [
      ...shown.flatMap((each) =>
        alongOutput(each.grid, state.input, "mean_power_w").map((row) => ({ row, series: each })),
      ),
      ...cells.filter(({ row }) => row.mean_power_w || row.throughput_tokens_per_s),
    ];
  }
  if (state.view === "map") return series.flatMap(mapEntries);
  if (state.view === "pareto") return rivalsOf(state).flatMap((grid) => rivalEntries(grid, state));
  return series.flatMap((each) =>
    at(each.grid, state).map((row) => ({
      row: { ...row, ...dayOf(row, each.grid, state) },
      series: each,
    })),
  );
}

function seriesOfCell(series, cell, { cells }) {
  const mine = series.filter(({ grid }) => grid.model === cell.model && grid.gpu === cell.gpu);
  return (cells === "same" ? mine.find(({ grid }) => sameLoad(cell, grid)) : mine[0]) ?? null;
}

function mapEntries(series) {
  const { grid } = series;
  return inputsOf(grid).flatMap((_, i) =>
    [...outputsOf(grid).map((_, o) => gridRow(grid, i, o)), spotRow(grid, i)]
      .filter((row) => row && row.energy_per_token_j !== null)
      .map((row) => ({ row, series })),
  );
}

/** Return the row of a grid at the chosen lengths, if it is known. */
function at(grid, { input, output }) {
  const [i, o] = [inputsOf(grid).indexOf(input), outputsOf(grid).indexOf(output)];
  if (i < 0 || o < 0) return [];
  const row = gridRow(grid, i, o);
  return row.energy_per_token_j === null ? [] : [row];
}

// Latencies that a Pareto front can be drawn against.
const LATENCIES = {
  tpot: { title: "Time per output token, p95", of: (row) => row.tpot_p95_s },
  ttft: { title: "Time to first token, p95", of: (row) => row.ttft_p95_s },
  most: {
    title: "Time per output token, at most",
    // of requests at once: as many in flight as the batch takes; memory may hold fewer
    of: (row) =>
      row.requests && Math.min(row.requests, row.max_batch_size) / row.throughput_tokens_per_s,
  },
};
const latencyOf = (state) => (state.load.startsWith("r") ? state.latency : "most");

function rivalEntries(grid, state) {
  return at(grid, state)
    .map((row) => ({ ...row, latency_s: LATENCIES[latencyOf(state)].of(row) }))
    .filter((row) => row.latency_s)
    .map((row) => ({ row, series: rival(grid, state) }));
}

/** Return a deployment as a series, named by what tells it from others; briefly, beside its board. */
function rival(grid, state) {
  const rivals = rivalsOf(state);
  const differ = Object.keys(DIMENSIONS).filter(
    (name) => unique(rivals.map(DIMENSIONS[name].of)).length > 1,
  );
  const said = (names) =>
    names.map((name) => SPLIT_LABEL[name](DIMENSIONS[name].of(grid))).join(", ");
  return {
    model: grid.model,
    grid,
    name: said(differ) || shortBoard(grid.gpu),
    label: said(differ.filter((name) => name !== "gpu")),
  };
}

/**
 * Return those whose energy is not above the least by more than both may be off. Errors are taken as
 * independent: the factor of a ratio is exp(√(ln² f₁ + ln² f₂)), as `choose` has it (docs/accuracy.md).
 */
function alikeIn([value, low, high], best, others) {
  const off = (row) =>
    Math.hypot(Math.log(best[high] / best[value]), Math.log(row[value] / row[low]));
  return others.filter((row) => !(Math.log(row[value] / best[value]) > off(row)));
}

/** Return those of one model that no other beats in both energy and latency, by rising latency. */
function frontOf(entries) {
  const sorted = [...entries].sort(
    ({ row: a }, { row: b }) =>
      a.latency_s - b.latency_s || a.energy_per_token_j - b.energy_per_token_j,
  );
  let least = Infinity;
  return sorted.filter(({ row }) => {
    const better = row.energy_per_token_j < least;
    least = Math.min(least, row.energy_per_token_j);
    return better;
  });
}
