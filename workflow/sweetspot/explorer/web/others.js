// Pictures that are not over output length alone: the map, the Pareto front, the cost.

function mapPlot(state, entries, theme, width) {
  const series = seriesIn(entries);
  const { of, title } = QUANTITIES[state.unit];
  const columns = width < WIDE ? 1 : Math.min(series.length, 2);
  const lines = Math.ceil(series.length / columns);
  const panel = columns === 1 && width >= WIDE ? 480 : 340;
  const layout = layoutOf(theme, width, 60 + lines * panel);
  const logs = (row) => Math.log10(of(row.energy_per_token_j));
  const all = entries.filter(({ row }) => row.what === "grid").map(({ row }) => logs(row));
  const ticks = ticksBetween(10 ** Math.min(...all), 10 ** Math.max(...all));
  layout.coloraxis = {
    colorscale: "Viridis", reversescale: state.unit === "tokens", cmin: Math.min(...all), cmax: Math.max(...all),
    colorbar: {
      title: { text: plain(title), side: width < WIDE ? "top" : "right" }, tickvals: ticks.map(Math.log10), ticktext: ticks.map(fmt),
      thickness: 14, outlinewidth: 0, ...(width < WIDE ? { orientation: "h", x: 0.5, y: 1, yanchor: "bottom", xpad: 0 } : {}),
    },
  };
  const traces = series.flatMap((each, place) => {
    const [row, column] = [Math.floor(place / columns), place % columns];
    const end = place ? String(place + 1) : "";
    const gap = [0.12, 0.2 / lines];
    const wide = (1 - gap[0] * (columns - 1)) / columns;
    const high = (1 - gap[1] * (lines - 1)) / lines;
    const across = [column * (wide + gap[0]), column * (wide + gap[0]) + wide];
    const top = 1 - row * (high + gap[1]);
    const mine = entries.filter((entry) => entry.series === each);
    const grid = mine.filter((entry) => entry.row.what === "grid");
    const spots = mine.filter((entry) => entry.row.what === "sweet spot");
    const [outputs, inputs] = [outputsOf(each.grid), inputsOf(each.grid)];
    layout[`xaxis${end}`] = { ...logAxis("Output tokens O", outputs, theme, { powersOf2: true }), domain: across, anchor: `y${end}`, showgrid: false };
    layout[`yaxis${end}`] = { ...logAxis("Input tokens I", inputs, theme, { powersOf2: true }), domain: [top - high, top], anchor: `x${end}`, showgrid: false };
    layout.annotations.push({ xref: "paper", yref: "paper", x: across[0], y: top, xanchor: "left", yanchor: "bottom", showarrow: false, text: `<b>${plain(each.label || modelName(each.model))}</b>` });
    layout.annotations.push(...stampsOf(grid, theme, { x: (across[0] + across[1]) / 2, y: top - high / 2, domain: [across[0], top], width: width * wide * 0.7 }));
    const known = new Map(grid.map((entry) => [`${entry.row.input_tokens} ${entry.row.output_tokens}`, entry]));
    const table = (value) => inputs.map((i) => outputs.map((o) => { const entry = known.get(`${i} ${o}`); return entry ? value(entry) : null; }));
    return [
      { type: "heatmap", x: outputs, y: inputs, z: table(({ row: one }) => logs(one)), coloraxis: "coloraxis", xaxis: `x${end}`, yaxis: `y${end}`, hovertext: table(hoverOf), hoverinfo: "text", hoverongaps: false },
      { x: spots.map(({ row: one }) => one.output_tokens), y: spots.map(({ row: one }) => one.input_tokens), mode: "lines+markers", line: { color: "#ffffff", width: 1.5 }, marker: { symbol: "star", size: 13, color: "#ffffff", line: { color: "#000000", width: 1 } }, xaxis: `x${end}`, yaxis: `y${end}`, showlegend: false, ...hovering(spots) },
    ];
  });
  layout.margin.t = width < WIDE ? 110 : 34;
  return { traces, layout };
}

const BOARD_SYMBOLS = ["circle", "diamond", "square", "triangle-up", "cross", "pentagon", "x", "star-triangle-up"];

function paretoPlot(state, entries, theme, width) {
  const { of, title } = QUANTITIES.j;
  const paint = painter(state, [], theme);
  const boards = unique(entries.map(({ row }) => row.gpu));
  const keys = unique(entries.map(({ row }) => `${row.model}\n${row.gpu}`));
  const front = frontOf(entries);
  const layout = layoutOf(theme, width, width < WIDE ? 480 : 520);
  const traces = [
    { x: front.map(({ row }) => row.latency_s), y: front.map(({ row }) => row.energy_per_token_j), mode: "lines", name: "front", line: { shape: "hv", color: theme.quiet, width: 1.5 }, hoverinfo: "skip" },
    ...keys.map((key) => {
      const mine = entries.filter(({ row }) => `${row.model}\n${row.gpu}` === key);
      const colour = paint(mine[0]);
      return {
        x: mine.map(({ row }) => row.latency_s), y: mine.map(({ row }) => of(row.energy_per_token_j)),
        mode: "markers+text", name: plain(`${modelName(mine[0].row.model)}, ${shortBoard(mine[0].row.gpu)}`),
        text: mine.map((entry) => (front.includes(entry) ? plain(entry.series.label) : "")), textposition: "top right", textfont: { size: 11, color: theme.quiet },
        error_y: { type: "data", symmetric: false, array: mine.map(({ row }) => row.energy_high_j - row.energy_per_token_j), arrayminus: mine.map(({ row }) => row.energy_per_token_j - row.energy_low_j), color: faint(colour, 0.5), thickness: 1, width: 3 },
        marker: { symbol: BOARD_SYMBOLS[boards.indexOf(mine[0].row.gpu) % BOARD_SYMBOLS.length], size: 11, color: mine.map((entry) => (front.includes(entry) ? colour : faint(colour, 0.35))), line: { width: 1.5, color: colour } },
        ...hovering(mine),
      };
    }),
  ];
  layout.xaxis = logAxis(LATENCIES[latencyOf(state)].title, entries.map(({ row }) => row.latency_s), theme, { margin: 0.1 });
  layout.yaxis = logAxis(title, entries.flatMap(({ row }) => [row.energy_low_j, row.energy_high_j]), theme);
  layout.margin.t = 20 + 22 * Math.ceil(traces.length / (width < WIDE ? 1 : 3));
  layout.height += layout.margin.t - 20;
  layout.annotations.push(...stampsOf(entries, theme, { width: width - 100 }));
  return { traces, layout };
}

const COST_PANELS = [
  ["energy_per_request", "_j", "J per request"],
  ["kwh", "_per_day", "kWh a day"],
  ["cost", "_per_day", "Money a day"],
  ["kgco2e", "_per_day", "kg CO₂e a day"],
];

function costPlot(state, entries, theme, width) {
  const series = seriesIn(entries);
  const paint = painter(state, series, theme);
  const sorted = [...entries].sort((a, b) => b.row.energy_per_request_j - a.row.energy_per_request_j);
  const panels = COST_PANELS.filter(([name, end]) => sorted[0].row[name + end] !== undefined);
  const columns = width < WIDE ? 1 : Math.min(panels.length, 2);
  const lines = Math.ceil(panels.length / columns);
  const layout = layoutOf(theme, width, lines * (90 + 44 * sorted.length));
  const names = sorted.map(({ series: own }) => plain(own.label || modelName(own.model)));
  const traces = panels.map(([name, end, title], place) => {
    const id = place ? String(place + 1) : "";
    const [row, column] = [Math.floor(place / columns), place % columns];
    const [wide, high] = [(1 - 0.06 * (columns - 1)) / columns, (1 - 0.3 * (lines - 1)) / lines];
    const left = column * (wide + 0.06);
    const top = 1 - row * (high + 0.3);
    const values = sorted.map(({ row: one }) => one[name + end]);
    const [low, up] = ["_low", "_high"].map((side) => sorted.map(({ row: one }) => one[name + side + end]));
    const unit = name === "cost" && state.currency ? `${state.currency} a day` : title;
    layout[`xaxis${id}`] = { ...axis(unit, theme), domain: [left, left + wide], anchor: `y${id}`, range: [0, 1.18 * Math.max(...up)], nticks: 6 };
    layout[`yaxis${id}`] = { ...axis("", theme), domain: [top - high, top], anchor: `x${id}`, tickvals: names.map((_, at) => at), ticktext: column ? names.map(() => "") : names, ticks: "", range: [-0.6, names.length - 0.4], gridcolor: theme.paper, color: theme.ink };
    layout.annotations.push(...stampsOf(entries, theme, { x: left + wide / 2, y: top - high / 2, domain: [left, top], width: width * wide * 0.6 }));
    return {
      type: "bar", orientation: "h", x: values, y: names.map((_, at) => at), xaxis: `x${id}`, yaxis: `y${id}`, width: 0.6,
      marker: { color: sorted.map(paint) }, showlegend: false, text: values.map(fmt), textposition: "inside", insidetextanchor: "start", ...hovering(sorted),
      error_x: { type: "data", symmetric: false, array: up.map((value, at) => value - values[at]), arrayminus: values.map((value, at) => value - low[at]), color: theme.ink, thickness: 1.5, width: 5 },
    };
  });
  return { traces, layout };
}
