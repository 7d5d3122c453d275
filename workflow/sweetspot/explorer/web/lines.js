// Pictures over output length: energy, and power with throughput.

const MARKERS = {
  measured: { symbol: "circle", size: 10 },
  simulated: { symbol: "square-open", size: 10 },
};

/** Return the trace of cells of one kind. */
function cellTrace(entries, evidence, { y, isEnergy = false, paint, theme }, more = {}) {
  const cells = entries.filter(
    ({ row }) => row.what === "cell" && row.evidence === evidence && y(row) > 0,
  );
  if (!cells.length) return [];
  const loads = unique(cells.map(({ row }) => row.requests));
  const labelled = loads.length > 1 ? withRoom(cells, y) : [];
  const measured = evidence === "measured";
  return [
    {
      x: cells.map(({ row }) => row.output_tokens),
      y: cells.map(({ row }) => y(row)),
      name: measured ? "measured" : "simulated cell",
      mode: labelled.length ? "markers+text" : "markers",
      text: cells.map((cell) => (labelled.includes(cell) ? `N = ${count(cell.row.requests)}` : "")),
      textposition: "middle right",
      cliponaxis: false,
      ...(isEnergy ? { error_y: spreadBars(cells, y, theme) } : {}),
      textfont: { size: 11, color: theme.quiet },
      marker: {
        ...MARKERS[evidence],
        color: cells.map(paint),
        line: { width: measured ? 1.5 : 2, color: measured ? theme.ink : cells.map(paint) },
      },
      ...hovering(cells),
      ...more,
    },
  ];
}

/** Return error bars of a standard deviation of repeats, where they are known. */
function spreadBars(cells, y, theme) {
  const bars = cells.map(({ row }) => (row.relative_std ?? 0) * y(row));
  return {
    type: "data",
    array: bars,
    visible: bars.some(Boolean),
    color: theme.ink,
    thickness: 1.25,
    width: 4,
  };
}

/** Return the cells whose label would meet none of another cell at the same output length. */
function withRoom(cells, y) {
  const known = cells.filter(({ row }) => row.requests);
  return known.filter(({ row }) =>
    known.every(
      ({ row: other }) =>
        other === row ||
        other.output_tokens !== row.output_tokens ||
        Math.abs(Math.log(y(other) / y(row))) > 0.2,
    ),
  );
}

/** Return a function from an entry to its colour: its series', or its model's. */
function painter(series, theme) {
  const models = modelColours(theme);
  const several = unique(series.map(({ model }) => model)).length < series.length;
  const own = several ? coloursOf(series, theme) : new Map();
  return (entry) => own.get(entry.series) ?? models.get(entry.row.model) ?? GREY;
}

const seriesIn = (entries) => unique(entries.map(({ series }) => series).filter(Boolean));

/** Draw e(O): bands, lines with their sweet spots, cells, published curves. */
function curvePlot(state, entries, theme, width) {
  const { of, title } = QUANTITIES[state.unit];
  const y = (row) => of(row.energy_per_token_j);
  const series = seriesIn(entries);
  const paint = painter(series, theme);
  const traces = series.flatMap((each) => lineTraces(each, entries, { of, paint, theme }));
  const seen = new Set(traces.map((trace) => trace.name));
  traces.push(...publishedTraces(entries, y, paint, theme));
  for (const evidence of ["measured", "simulated"]) {
    traces.push(...cellTrace(entries, evidence, { y, isEnergy: true, paint, theme }));
  }
  const height = width < WIDE ? 420 : 500;
  const layout = layoutOf(theme, width, height);
  const rows = entries.map(({ row }) => row);
  layout.xaxis = logAxis(
    `Output tokens O, at I = ${count(state.input)}`,
    rows.map((row) => row.output_tokens),
    theme,
    { powersOf2: true, margin: 0.02 },
  );
  layout.yaxis = logAxis(
    title,
    rows.flatMap((row) =>
      [row.energy_per_token_j, row.energy_low_j, row.energy_high_j].filter(Boolean).map(of),
    ),
    theme,
    { margin: width < WIDE ? 0.18 : 0.08, headroom: 0.15 }, // a name fits under the lowest star
  );
  const ends = series
    .filter((each) => seen.has(plain(each.label)))
    .map((each) => {
      const last = entries
        .filter((entry) => entry.series === each && entry.row.what === "grid")
        .at(-1);
      return { text: each.label, y: y(last.row), colour: paint(last) };
    });
  nameLines(traces, layout, ends, { width, height, theme });
  layout.annotations.push(...stampsOf(entries, theme, { width: width - layout.margin.r - 60 }));
  return { traces, layout };
}

/** Put names beside lines, or in the legend where the page is narrow. */
function nameLines(traces, layout, ends, { width, height, theme, axisName = "yaxis", y = [0, 1] }) {
  if (width < WIDE) {
    const rows = Math.ceil(traces.filter((trace) => trace.showlegend !== false).length / 2);
    layout.margin.t = 12 + 20 * rows;
    layout.height += 20 * rows;
    return;
  }
  layout.margin.r = Math.min(labelSpace(ends.map(({ text }) => text)), width * 0.3);
  layout.margin.t = 34;
  for (const trace of traces)
    if (ends.some(({ text }) => plain(text) === trace.name)) trace.showlegend = false;
  layout.annotations.push(
    ...endLabels(ends, {
      range: layout[axisName].range,
      y,
      height: (height - 84) * (y[1] - y[0]),
      theme,
    }),
  );
}

/** Return the band, line, thick range and star of a series. */
function lineTraces(series, entries, { of, paint, theme }) {
  const mine = entries.filter((entry) => entry.series === series);
  const line = mine.filter(({ row }) => row.what === "grid");
  if (!line.length) return [];
  const colour = paint(line[0]);
  const x = line.map(({ row }) => row.output_tokens);
  const values = (name) => line.map(({ row }) => of(row[name]));
  const spot = mine.find(
    ({ row }) => row.what === "sweet spot" || row.what === "end of the search",
  );
  const quiet = { hoverinfo: "skip", showlegend: false };
  const traces = [
    {
      x: [...x, ...x.toReversed()],
      y: [...values("energy_high_j"), ...values("energy_low_j").toReversed()],
      fill: "toself",
      fillcolor: faint(colour, 0.13),
      line: { width: 0 },
      mode: "lines",
      ...quiet,
    },
    {
      x,
      y: values("energy_per_token_j"),
      mode: "lines",
      name: plain(series.label),
      line: { color: colour, width: 2.5 },
      ...hovering(line),
    },
  ];
  if (spot) {
    const atBound = spot.row.what !== "sweet spot";
    const part = between(line, spot.row);
    traces.push(
      {
        x: part.map(([o]) => o),
        y: part.map(([, joules]) => of(joules)),
        mode: "lines",
        line: { color: faint(colour, 0.45), width: 9 },
        ...quiet,
      },
      {
        x: [spot.row.output_tokens],
        y: [of(spot.row.energy_per_token_j)],
        mode: "markers+text",
        text: [(atBound ? "≥ " : "") + count(spot.row.output_tokens)],
        textposition: hasOneBelow(spot, entries, of) ? "top center" : "bottom center",
        showlegend: false,
        textfont: { color: readable(colour, theme), weight: 700 },
        name: "sweet spot",
        marker: {
          symbol: atBound ? "triangle-right" : "star",
          size: 16,
          color: colour,
          line: { width: 1.5, color: theme.paper },
        },
        ...hovering([spot]),
      },
    );
  }
  return traces;
}

/** Return whether a sweet spot lies so close above another one that its name is better above. */
function hasOneBelow(spot, entries, of) {
  const height = of(spot.row.energy_per_token_j);
  return entries.some(({ row }) => {
    const ratio = height / of(row.energy_per_token_j);
    return row.range_low_tokens && row !== spot.row && ratio >= 1 && ratio < 1.8;
  });
}

/** Return the points of a line between the ends of a range, these interpolated by ratio. */
function between(line, { range_low_tokens: low, range_high_tokens: high }) {
  const points = line.map(({ row }) => [row.output_tokens, row.energy_per_token_j]);
  const at = (o) => {
    const after = points.findIndex(([x]) => x >= o);
    if (after < 1) return points.at(after)[1];
    const [[x0, y0], [x1, y1]] = [points[after - 1], points[after]];
    return y0 * (y1 / y0) ** (Math.log(o / x0) / Math.log(x1 / x0));
  };
  const [first, last] = [Math.max(low, points[0][0]), Math.min(high, points.at(-1)[0])];
  return [[first, at(first)], ...points.filter(([o]) => o > first && o < last), [last, at(last)]];
}

/** Return the published curves, dashed, one a model. */
function publishedTraces(entries, y, paint, theme) {
  const published = entries.filter(({ row }) => row.what === "surface");
  const keys = unique(published.map(({ row }) => `${row.model}\n${row.gpu}`));
  return keys.map((key, place) => {
    const mine = published.filter(({ row }) => `${row.model}\n${row.gpu}` === key);
    return {
      x: mine.map(({ row }) => row.output_tokens),
      y: mine.map(({ row }) => y(row)),
      mode: "lines",
      line: { dash: "6px,4px", width: 1.75, color: mix(paint(mine[0]), theme.ink, 0.25) },
      name: plain(mine[0].row.source),
      legendgroup: "published",
      showlegend: place === 0,
      ...hovering(mine),
    };
  });
}

/** Draw power and throughput, one above the other. */
function powerPlot(state, entries, theme, width) {
  const series = seriesIn(entries);
  const paint = painter(series, theme);
  const height = width < WIDE ? 520 : 560;
  const layout = layoutOf(theme, width, height);
  const rows = entries.map(({ row }) => row);
  const traces = [];
  layout.xaxis = {
    ...logAxis(
      `Output tokens O, at I = ${count(state.input)}`,
      rows.map((row) => row.output_tokens),
      theme,
      { powersOf2: true, margin: 0.02 },
    ),
    anchor: "y2",
  };
  const panels = [
    ["mean_power_w", "y", "Power (W)", [0.54, 1]],
    ["throughput_tokens_per_s", "y2", "Output tokens/s", [0, 0.46]],
  ];
  for (const [name, yaxis, title, domain] of panels) {
    const values = rows.map((row) => row[name]).filter(Boolean);
    layout[yaxis.replace("y", "yaxis")] = {
      ...(yaxis === "y"
        ? fromZero(title, values, theme)
        : logAxis(title, values, theme, { headroom: 0.25 })),
      domain,
      anchor: "x",
    };
    for (const each of series) {
      const line = entries.filter(({ row, series: own }) => own === each && row.what === "grid");
      if (!line.length) continue;
      traces.push({
        x: line.map(({ row }) => row.output_tokens),
        y: line.map(({ row }) => row[name]),
        yaxis,
        mode: "lines",
        name: plain(each.label),
        line: { color: paint(line[0]), width: 2.5 },
        showlegend: yaxis === "y",
        meta: each.label,
        ...hovering(line),
      });
    }
    for (const evidence of ["measured", "simulated"]) {
      traces.push(
        ...cellTrace(
          entries,
          evidence,
          { y: (row) => row[name], paint, theme },
          {
            yaxis,
            showlegend: yaxis === "y",
          },
        ),
      );
    }
    layout.annotations.push(...stampsOf(entries, theme, { y: domain, width: (width - 200) * 0.6 }));
  }
  markLimits(state, rows, layout, theme);
  const named = traces.filter((trace) => trace.yaxis === "y2" && trace.mode === "lines");
  const ends = named.map((trace) => ({
    text: trace.meta,
    y: trace.y.at(-1),
    colour: trace.line.color,
  }));
  nameLines(traces, layout, ends, { width, height, theme, axisName: "yaxis2", y: panels[1][3] });
  return { traces, layout };
}

const fromZero = (title, values, theme) => ({
  ...axis(title, theme),
  range: [0, 1.35 * Math.max(1, ...values)],
  nticks: 6,
});

/** Mark what a board may draw, and draws idle, where all that is shown is of one. */
function markLimits(state, rows, layout, theme) {
  const boards = unique(rows.map((row) => `${row.gpu} ${row.tensor_parallel ?? 1}`));
  if (boards.length !== 1) return;
  const [{ gpu, tensor_parallel: sharing = 1 }] = rows;
  const lines = [
    ["power_limit_w", "limit"],
    ["active_power_w", "idle"],
  ];
  for (const [name, word] of lines) {
    const power = (GPUS.get(gpu)?.[name] ?? 0) * sharing;
    if (!power) continue;
    layout.yaxis.range[1] = Math.max(layout.yaxis.range[1], power * 1.35);
    layout.shapes.push({
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      yref: "y",
      y0: power,
      y1: power,
      line: { dash: "dot", width: 1.5, color: theme.quiet },
    });
    layout.annotations.push({
      xref: "paper",
      x: 1,
      xanchor: "right",
      yref: "y",
      y: power,
      yanchor: "bottom",
      showarrow: false,
      text: `${word}, ${fmt(power)} W`,
      font: { size: 12, color: theme.quiet },
    });
  }
}
