// Pictures that are not over output length alone: the map, the Pareto front, the cost.

/** Draw energy over both lengths, a panel a series, all in one scale of colours. */
function mapPlot(state, entries, theme, width) {
  const series = seriesIn(entries);
  const { of, title } = QUANTITIES[state.unit];
  const narrow = width < WIDE;
  const columns = narrow ? 1 : Math.min(series.length, 2);
  const isStrip = series.every(({ grid }) => inputsOf(grid).length === 1);
  const high = isStrip ? 110 : columns === 1 && !narrow ? 420 : 270;
  const { places, whole } = panelsOf(series.length, columns, { high, gap: 90, across: 0.12 });
  const layout = layoutOf(theme, width, 0);
  const isScaleAbove = narrow || isStrip;
  layout.margin.t = isScaleAbove ? 130 : 34;
  layout.height = whole + layout.margin.t + layout.margin.b;
  const logs = (row) => Math.log10(of(row.energy_per_token_j));
  const all = entries.filter(({ row }) => row.what === "grid").map(({ row }) => logs(row));
  layout.coloraxis = colourScale(title, all, {
    isAbove: isScaleAbove,
    whole,
    reversescale: state.unit === "tokens",
  });
  const traces = series.flatMap((each, place) => {
    const { x, y, end } = places[place];
    const axes = { xaxis: `x${end}`, yaxis: `y${end}` };
    const mine = entries.filter((entry) => entry.series === each);
    const grid = mine.filter((entry) => entry.row.what === "grid");
    const spots = mine.filter((entry) => entry.row.what === "sweet spot");
    const [outputs, inputs] = [outputsOf(each.grid), inputsOf(each.grid)];
    const plainAxis = { powersOf2: true };
    layout[`xaxis${end}`] = {
      ...logAxis("Output tokens O", outputs, theme, plainAxis),
      domain: x,
      anchor: axes.yaxis,
      showgrid: false,
    };
    layout[`yaxis${end}`] = {
      ...logAxis(x[0] ? "" : "Input tokens I", inputs, theme, plainAxis),
      domain: y,
      anchor: axes.xaxis,
      showgrid: false,
    };
    layout.annotations.push(
      {
        xref: "paper",
        yref: "paper",
        x: x[0],
        y: y[1],
        xanchor: "left",
        yanchor: "bottom",
        yshift: 2,
        showarrow: false,
        text: `<b>${plain(each.label)}</b>`,
      },
      ...stampsOf(grid, theme, { x, y, width: width * 0.7, height: high, over: "#ffffff" }),
    );
    const known = new Map(
      grid.map((entry) => [`${entry.row.input_tokens} ${entry.row.output_tokens}`, entry]),
    );
    const table = (value) =>
      inputs.map((i) =>
        outputs.map((o) => {
          const entry = known.get(`${i} ${o}`);
          return entry ? value(entry) : null;
        }),
      );
    return [
      {
        type: "heatmap",
        x: edgesOf(outputs),
        y: edgesOf(inputs),
        z: table(({ row }) => logs(row)),
        coloraxis: "coloraxis",
        hovertext: table(hoverOf),
        hoverinfo: "text",
        hoverongaps: false,
        ...axes,
      },
      {
        x: spots.map(({ row }) => row.output_tokens),
        y: spots.map(({ row }) => row.input_tokens),
        mode: "lines+markers",
        line: { color: "#ffffff", width: 1.5 },
        showlegend: false,
        marker: {
          symbol: "star",
          size: 13,
          color: "#ffffff",
          line: { color: "#000000", width: 1 },
        },
        ...hovering(spots),
        ...axes,
      },
    ];
  });
  return { traces, layout };
}

/** Return where the tiles of these lengths lie: of a single one its edges, which plotly cannot know. */
const edgesOf = (lengths) =>
  lengths.length === 1 ? [lengths[0] / Math.SQRT2, lengths[0] * Math.SQRT2] : lengths;

/** Return the scale of a map's colours: beside it, or above where the page is narrow or the map low. */
function colourScale(title, logs, { isAbove, whole, reversescale }) {
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const ticks = ticksBetween(10 ** low, 10 ** high, 6);
  const above = { orientation: "h", x: 0.5, y: 1 + 30 / whole, yanchor: "bottom", ypad: 0 };
  return {
    colorscale: "Viridis",
    reversescale,
    cmin: low,
    cmax: high,
    colorbar: {
      title: { text: plain(title), side: isAbove ? "top" : "right" },
      thickness: 14,
      outlinewidth: 0,
      tickvals: ticks.map(Math.log10),
      ticktext: ticks.map(short),
      ...(isAbove ? above : {}),
    },
  };
}

const BOARD_SYMBOLS = [
  "circle",
  "diamond",
  "square",
  "triangle-up",
  "cross",
  "pentagon",
  "x",
  "star-triangle-up",
];

/** Draw deployments by latency and energy, and of each model those that nothing beats. */
function paretoPlot(state, entries, theme, width) {
  const paint = painter([], theme);
  const of = (name, value) => unique(entries.filter(({ row }) => row[name] === value));
  const models = unique(entries.map(({ row }) => row.model));
  const fronts = models.map((model) => frontOf(of("model", model)));
  const best = new Set(fronts.flat());
  const boards = unique(entries.map(({ row }) => row.gpu));
  const longest = Math.max(...entries.map(({ row }) => row.latency_s));
  const [scale, unit] = longest < 1 ? [1000, "ms"] : [1, "s"];
  const points = (some) => ({
    x: some.map(({ row }) => row.latency_s * scale),
    y: some.map(({ row }) => row.energy_per_token_j),
  });
  const traces = fronts.map((front) => ({
    ...points(front),
    mode: "lines",
    line: { shape: "hv", color: faint(paint(front[0]), 0.7), width: 2 },
    hoverinfo: "skip",
    showlegend: false,
  }));
  for (const model of models) {
    for (const [place, gpu] of boards.entries()) {
      const mine = of("model", model).filter(({ row }) => row.gpu === gpu);
      if (!mine.length) continue;
      const colour = paint(mine[0]);
      traces.push({
        ...points(mine),
        mode: "markers+text",
        name: plain(`${modelName(model)}, ${shortBoard(gpu)}`),
        text: mine.map((entry) => (best.has(entry) ? `${plain(entry.series.label)} ` : "")),
        textposition: "middle left",
        textfont: { size: 11, color: theme.quiet },
        error_y: {
          type: "data",
          symmetric: false,
          color: faint(colour, 0.4),
          thickness: 1,
          width: 3,
          array: mine.map(({ row }) => row.energy_high_j - row.energy_per_token_j),
          arrayminus: mine.map(({ row }) => row.energy_per_token_j - row.energy_low_j),
        },
        marker: {
          symbol: BOARD_SYMBOLS[place % BOARD_SYMBOLS.length],
          size: 11,
          line: { width: 1.5, color: colour },
          color: mine.map((entry) => (best.has(entry) ? colour : theme.paper)),
        },
        ...hovering(mine),
      });
    }
  }
  const layout = layoutOf(theme, width, 460);
  layout.margin.t =
    20 +
    21 * Math.ceil(traces.filter(({ name }) => name).length / Math.max(1, Math.floor(width / 290)));
  layout.height += layout.margin.t;
  const title = `${LATENCIES[latencyOf(state)].title} (${unit})`;
  layout.xaxis = logAxis(
    title,
    entries.map(({ row }) => row.latency_s * scale),
    theme,
    { margin: width < WIDE ? 0.55 : 0.16, headroom: 0.06 },
  );
  layout.yaxis = logAxis(
    QUANTITIES.j.title,
    entries.flatMap(({ row }) => [row.energy_low_j, row.energy_high_j]),
    theme,
    { headroom: 0.12 },
  );
  layout.annotations.push(...stampsOf(entries, theme, { width: width - 100 }));
  return { traces, layout };
}

const COST_PANELS = [
  ["energy_per_request", "_j", "J per request"],
  ["kwh", "_per_day", "kWh a day"],
  ["cost", "_per_day", "Money a day"],
  ["kgco2e", "_per_day", "kg CO₂e a day"],
];

/** Draw what requests take, a panel a quantity that is known, the least on top. */
function costPlot(state, entries, theme, width) {
  const paint = painter(seriesIn(entries), theme);
  const sorted = [...entries].sort(
    (a, b) => b.row.energy_per_request_j - a.row.energy_per_request_j,
  );
  const panels = COST_PANELS.filter(([name, end]) => sorted[0].row[name + end] !== undefined);
  const columns = width < WIDE ? 1 : Math.min(panels.length, 2);
  const tall = 40 + 36 * sorted.length;
  const { places, whole } = panelsOf(panels.length, columns, {
    high: tall,
    gap: 64,
    across: 0.05,
  });
  const layout = layoutOf(theme, width, whole + 62);
  const names = sorted.map(({ series }) => plain(series.label));
  const bars = names.map((_, place) => place);
  const traces = panels.map(([name, end, title], panel) => {
    const { x, y, end: axisEnd } = places[panel];
    const column = (side) => sorted.map(({ row }) => row[name + side + end]);
    const [values, low, high] = [column(""), column("_low"), column("_high")];
    const said = name === "cost" && state.currency ? `${state.currency} a day` : title;
    layout[`xaxis${axisEnd}`] = {
      ...axis(said, theme),
      domain: x,
      anchor: `y${axisEnd}`,
      range: [0, 1.25 * Math.max(...high)],
      nticks: 6,
    };
    layout[`yaxis${axisEnd}`] = {
      ...axis("", theme),
      domain: y,
      anchor: `x${axisEnd}`,
      color: theme.ink,
      gridcolor: theme.paper,
      ticks: "",
      tickvals: bars,
      ticktext: x[0] ? bars.map(() => "") : names,
      range: [-0.6, bars.length + 0.2],
    };
    layout.annotations.push(
      ...stampsOf(entries, theme, { x, y, width: width * 0.7, height: tall, corner: "right" }),
      ...bars.map((place) => ({
        xref: `x${axisEnd}`,
        yref: `y${axisEnd}`,
        x: high[place],
        y: place,
        xanchor: "left",
        xshift: 6,
        showarrow: false,
        text: fmt(values[place]),
        font: { color: theme.ink },
      })),
    );
    return {
      type: "bar",
      orientation: "h",
      x: values,
      y: bars,
      xaxis: `x${axisEnd}`,
      yaxis: `y${axisEnd}`,
      width: 0.6,
      marker: { color: sorted.map(paint) },
      showlegend: false,
      ...hovering(sorted),
      error_x: {
        type: "data",
        symmetric: false,
        color: theme.ink,
        thickness: 1.5,
        width: 5,
        array: high.map((value, place) => value - values[place]),
        arrayminus: values.map((value, place) => value - low[place]),
      },
    };
  });
  return { traces, layout };
}
