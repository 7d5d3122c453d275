// A view in words: its heading, a sentence with its result, how to read it.

const count = (number) => (number < 10000 ? String(number) : number.toLocaleString("en"));

/** Return a number with three digits. */
function fmt(number) {
  if (number === null || number === undefined) return "–";
  return Math.abs(number) < 99.95 ? number.toPrecision(3) : short(number);
}

/** Return a number with three digits and no zeros at its end. */
function short(number) {
  const rounded = Number(number.toPrecision(3));
  return Math.abs(rounded) < 10000 ? String(rounded) : rounded.toLocaleString("en");
}

const listed = (texts) =>
  texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
const upper = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const seconds = (time) => (time < 1 ? `${fmt(time * 1000)} ms` : `${fmt(time)} s`);

const VIEWS = {
  curve: { short: "Curve", title: "Energy against output length" },
  map: { short: "Map", title: "Energy over input and output length" },
  power: { short: "Power", title: "Power and throughput against output length" },
  pareto: { short: "Latency", title: "Energy against latency" },
  cost: { short: "Cost", title: "Energy and cost of requests" },
};

const QUANTITIES = {
  j: { title: "Energy per output token (J)", of: (joules) => joules, unit: "J/token" },
  tokens: { title: "Output tokens per joule", of: (joules) => 1 / joules, unit: "tokens/J" },
};

/** Return what all of a view has in common, in words. */
function choiceInWords(state, entries) {
  const { view, split } = state;
  const said = [evidenceInWords(entries)];
  if (view !== "map") said.push(`${count(state.input)} input tokens`);
  if (view === "pareto" || view === "cost") said.push(`${count(state.output)} output tokens`);
  const grids =
    entries.some(({ row }) => row.what === "grid") ||
    (state.cells === "same" && entries.length > 0);
  const fixed = (name) => grids && split !== name && view !== "pareto";
  if (fixed("load") || (view === "pareto" && state.load.startsWith("n"))) {
    said.push(loadInWords(state.load));
  }
  if (fixed("batch")) said.push(`batches of at most ${count(Number(state.batch))}`);
  if (fixed("weights") && state.weights !== "model")
    said.push(`${state.weights.toUpperCase()} weights`);
  if (split !== "gpu" && view !== "pareto") said.push(shortBoard(state.gpu));
  if (fixed("engine")) said.push(engineName(state.engine));
  return upper(said.filter(Boolean).join(" · "));
}

/** Return the sentences that say what a view shows. */
function sentenceOf(state, entries) {
  if (!state.models.length) return "No model is chosen.";
  if (!entries.length) return "Nothing is known of this choice: try another board, load or model.";
  const lacking = state.models.filter((model) => !entries.some(({ row }) => row.model === model));
  const without = lacking.length
    ? `\nNothing is known here of ${listed(lacking.map(modelName))}.`
    : "";
  return SENTENCES[state.view](state, entries) + without;
}

function evidenceInWords(entries) {
  const kinds = unique(entries.map(({ row }) => row.evidence));
  return listed(["simulated", "measured", "published"].filter((kind) => kinds.includes(kind)));
}

const MOST_SAID = 4;

/** Return as many sentences as are read; the table has the rest. */
const firstOf = (sentences) =>
  sentences.slice(0, MOST_SAID).join("\n") +
  (sentences.length > MOST_SAID ? `\n${sentences.length - MOST_SAID} more are in the table.` : "");

const SENTENCES = {
  curve(state, entries) {
    const spots = bySeries(entries).map(([series, rows]) => spotInWords(series, rows, state));
    if (spots.length) return firstOf(spots);
    const cells = entries.map(({ row }) => row).filter((row) => row.what === "cell");
    if (!cells.length) return "Published surfaces alone.";
    const best = least(cells, "energy_per_token_j");
    return (
      `Of ${count(cells.length)} cells, ${modelName(best.model)} takes least:` +
      ` ${fmt(best.energy_per_token_j)} J per output token at ${count(best.output_tokens)}.`
    );
  },
  map(state, entries) {
    const { of, unit } = QUANTITIES[state.unit];
    return firstOf(
      bySeries(entries).map(([series, rows]) => {
        const grid = rows.filter((row) => row.what === "grid");
        const [low, high] = [least(grid, "energy_per_token_j"), most(grid, "energy_per_token_j")];
        const said = (row) =>
          `${fmt(of(row.energy_per_token_j))} ${unit} at ${count(row.input_tokens)} input and` +
          ` ${count(row.output_tokens)} output tokens`;
        return `${series.name}: from ${said(low)} to ${said(high)}.`;
      }),
    );
  },
  power(state, entries) {
    const grids = bySeries(entries).map(([series, rows]) => {
      const [low, high] = [least(rows, "mean_power_w"), most(rows, "mean_power_w")];
      const fast = most(rows, "throughput_tokens_per_s");
      return (
        `${series.name} draws ${fmt(low.mean_power_w)} to` +
        ` ${fmt(high.mean_power_w)} W, and is fastest with ${fmt(fast.throughput_tokens_per_s)}` +
        ` tokens/s at ${count(fast.output_tokens)} output tokens.`
      );
    });
    return firstOf(grids) || `${count(entries.length)} cells.`;
  },
  pareto(state, entries) {
    const figures = ({ row, series }) =>
      `${series.name} (${seconds(row.latency_s)}, ${fmt(row.energy_per_token_j)} J per output token)`;
    const names = ["energy_per_token_j", "energy_low_j", "energy_high_j"];
    const close = (cheap, mine) => {
      const alike = alikeIn(
        names,
        cheap.row,
        mine.filter((entry) => entry !== cheap).map(({ row, series }) => ({ ...row, series })),
      );
      return notToldApart(alike.map(({ series }) => series.name));
    };
    return unique(entries.map(({ row }) => row.model))
      .map((model) => {
        const mine = entries.filter(({ row }) => row.model === model);
        if (mine.length === 1)
          return `${modelName(model)} is known in one way, ${figures(mine[0])}.`;
        const front = frontOf(mine);
        const [fast, cheap] = [front[0], front.at(-1)];
        const said =
          front.length === 1
            ? `is simulated as both fastest and of least energy with ${figures(fast)}.`
            : `is simulated as fastest with ${figures(fast)}, of least energy with ${figures(cheap)}.`;
        return `${modelName(model)} ${said}${close(cheap, mine)}`;
      })
      .join("\n");
  },
  cost(state, entries) {
    const [best, ...others] = entries
      .map(({ row, series }) => ({ ...row, name: series.name }))
      .sort((a, b) => a.energy_per_request_j - b.energy_per_request_j);
    if (!others.length) return `${best.name} takes ${costInWords(best, state)}.`;
    const names = ["energy_per_request_j", "energy_per_request_low_j", "energy_per_request_high_j"];
    const close = alikeIn(names, best, others);
    const sure = close.length ? "" : ", by more than both may be off";
    const apart = notToldApart(close.map(({ name }) => name));
    const next = others.slice(0, 3).map((row) => `${row.name} with ${perRequest(row)}`);
    if (others.length > 3) next.push(`${count(others.length - 3)} more`);
    const rest = next.length ? ` Then ${listed(next)}.` : "";
    return `${best.name} takes least${sure}: ${costInWords(best, state)}.${apart}${rest}`;
  },
};

/** Return a sentence on those whose energy is as good as the least; at most a few are named. */
function notToldApart(names) {
  if (!names.length) return "";
  const said = names.slice(0, MOST_SAID).map((name) => (name.includes(",") ? `“${name}”` : name));
  if (names.length > MOST_SAID) said.push(`${count(names.length - MOST_SAID)} more`);
  return (
    ` In energy ${listed(said)} cannot be told apart from it, as both may be off by more.`
  );
}

/** Return the rows of each series that has a grid, in order. */
function bySeries(entries) {
  const found = new Map();
  for (const { row, series } of entries) {
    if (!series || row.what === "cell" || row.what === "surface") continue;
    found.set(series, [...(found.get(series) ?? []), row]);
  }
  return [...found];
}

const least = (rows, name) => rows.reduce((best, row) => (row[name] < best[name] ? row : best));
const most = (rows, name) => rows.reduce((best, row) => (row[name] > best[name] ? row : best));

function spotInWords({ name }, rows, state) {
  const value = (row) => {
    const { of, unit } = QUANTITIES[state.unit];
    const ends = [of(row.energy_low_j), of(row.energy_high_j)].sort((a, b) => a - b);
    return `${fmt(of(row.energy_per_token_j))} ${unit} (${fmt(ends[0])} to ${fmt(ends[1])})`;
  };
  const spot = rows.find((row) => row.what !== "grid");
  if (!spot) {
    const best = least(rows, "energy_per_token_j");
    return `${name}: best of the grid at ${count(best.output_tokens)} output tokens, ${value(best)}.`;
  }
  if (spot.what !== "sweet spot") {
    return (
      `${name}: still better at ${count(spot.output_tokens)} output tokens, where the search ends,` +
      ` ${value(spot)}.`
    );
  }
  return (
    `${name}: sweet spot at ${count(spot.output_tokens)} output tokens` +
    ` (${count(spot.range_low_tokens)} to ${count(spot.range_high_tokens)} within 2 %),` +
    ` ${value(spot)}.`
  );
}

const perRequest = (row) =>
  `${fmt(row.energy_per_request_j)} J per request (${fmt(row.energy_per_request_low_j)} to` +
  ` ${fmt(row.energy_per_request_high_j)})`;

function costInWords(row, state) {
  const span = (name, unit) =>
    `${fmt(row[`${name}_per_day`])} ${unit} (${fmt(row[`${name}_low_per_day`])} to` +
    ` ${fmt(row[`${name}_high_per_day`])})`;
  const said = [perRequest(row)];
  if (row.kwh_per_day !== undefined) said.push(`${span("kwh", "kWh")} a day`);
  if (row.cost_per_day !== undefined) said.push(span("cost", state.currency || "in money"));
  if (row.kgco2e_per_day !== undefined) said.push(span("kgco2e", "kg CO₂e"));
  return said.join(", ");
}

/** Return how a view's picture is read. */
function readingOf(state, entries) {
  const [drawn, rows] = [SPANS[state.view], entries.map(({ row }) => row)];
  const words = unique(rows.map((row) => row.energy_interval).filter(Boolean));
  const spans = drawn && words.length ? `${drawn}: ${words.join(", or ")}.` : "";
  const cells = rows.some((row) => row.what === "cell")
    ? "Measured cells are filled dots, simulated ones open squares."
    : "";
  const spreads = rows.some((row) => row.relative_std)
    ? "Bars of cells are one standard deviation."
    : "";
  return [READINGS[state.view](state), cells, spans, spreads].filter(Boolean).join(" ");
}

const SPANS = {
  curve: "Bands are where a measurement is expected",
  pareto: "Bars are where a measurement is expected",
  cost: "Whiskers are where a measurement is expected",
};

const READINGS = {
  curve: () =>
    "Stars are sweet spots: where a simulated curve is least. Along the thick part of a line, energy" +
    " is within 2 % of that.",
  map: () => "Stars join the sweet spots of input lengths: where a simulated curve is least. Darker is less energy.",
  power: () => "Dotted lines are a board's limit and, where it is known, its idle power.",
  pareto: (state) =>
    "Below and left is better; a line joins what no other deployment of the model beats in both." +
    " How far latencies are off is not known, so near ones are not told apart." +
    (latencyOf(state) === "most"
      ? " Of requests at once no latency is simulated: it is taken from throughput with as many in" +
        " flight as the batch takes."
      : " Loads of all rates are drawn."),
  cost: (state) =>
    state.load.startsWith("r")
      ? "Energy of a request includes the idle time at this rate; a day is of as many boards as take it."
      : "Energy of a request is that within a full run; idle time is added if boards stay on.",
};

/** Return what an image's reader cannot see, for its alternative text. */
const altText = (state, entries) =>
  `Plot: ${VIEWS[state.view].title}. ${choiceInWords(state, entries)}. ${sentenceOf(state, entries)}` +
  " Its data are in the table below.";

const HEADINGS = {
  what: "What",
  evidence: "Evidence",
  model: "Model",
  gpu: "Board",
  engine: "Engine",
  weights: "Weights",
  tensor_parallel: "Boards a model",
  max_batch_size: "Largest batch",
  requests: "Requests",
  rate_per_s: "Rate (1/s)",
  input_tokens: "I (tokens)",
  output_tokens: "O (tokens)",
  energy_per_token_j: "J/token",
  energy_low_j: "J/token, low",
  energy_high_j: "J/token, high",
  range_low_tokens: "Within 2 % from (tokens)",
  range_high_tokens: "to (tokens)",
  eq6_tokens: "Eq. 6 (tokens)",
  mean_power_w: "Power (W)",
  throughput_tokens_per_s: "Tokens/s",
  ttft_p95_s: "First token, p95 (s)",
  tpot_p95_s: "Per token, p95 (s)",
  latency_s: "Latency (s)",
  energy_per_request_j: "J/request",
  energy_per_request_low_j: "J/request, low",
  energy_per_request_high_j: "J/request, high",
  requests_per_day: "Requests a day",
  boards_busy: "Boards busy",
  kwh_per_day: "kWh a day",
  kwh_low_per_day: "kWh, low",
  kwh_high_per_day: "kWh, high",
  kwh_idle_per_day: "of it idle",
  cost_per_day: "Money a day",
  cost_low_per_day: "Money, low",
  cost_high_per_day: "Money, high",
  kgco2e_per_day: "kg CO₂e a day",
  kgco2e_low_per_day: "kg CO₂e, low",
  kgco2e_high_per_day: "kg CO₂e, high",
  repeats: "Repeats",
  relative_std: "Std of repeats / mean",
  energy_interval: "Interval",
  source: "Source",
};

/** Return the columns that any of these rows fills, in the order of the headings. */
const columnsOf = (rows) =>
  Object.keys(HEADINGS).filter((name) =>
    rows.some((row) => row[name] !== undefined && row[name] !== null),
  );

/** Return rows as CSV; text that a spreadsheet would run as a formula is kept from that. */
function csvOf(rows) {
  const columns = columnsOf(rows);
  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(Number(value.toPrecision(6)));
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = rows.map((row) => columns.map((name) => cell(row[name])).join(","));
  return [columns.join(","), ...lines].join("\n") + "\n";
}
