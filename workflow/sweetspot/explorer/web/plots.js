// Pictures: what plotly draws of a view's entries, in the page's colours.

const plain = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Return the page's colours as they are now, light or dark. */
function themeOf() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(
    ["ink", "paper", "quiet", "line", "warn"].map((name) => [name, of(name)]),
  );
}

// Colours: a family's hue, as figures have it; its members and parts from dark to light.

const GREY = "#777777";
const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
const hex = (parts) =>
  `#${parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
const mix = (colour, other, share) =>
  hex(channels(colour).map((part, place) => part + (channels(other)[place] - part) * share));
const faint = (colour, opacity) => `rgba(${channels(colour).join(",")},${opacity})`;

function luminance(colour) {
  const [red, green, blue] = channels(colour).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** Return a colour as near as can be that stands out from the paper: 3 to 1, as WCAG asks. */
function legible(colour, paper) {
  const away = luminance(paper) < 0.2 ? "#ffffff" : "#000000";
  const shares = Array.from({ length: 20 }, (_, step) => step / 20);
  const found = shares.find((share) => contrast(mix(colour, away, share), paper) >= 3);
  return mix(colour, away, found ?? 1);
}

/** Return the colour of each series: its family's, in shades where several have the same. */
function coloursOf(series, { paper }) {
  const [darkest, lightest] = luminance(paper) < 0.2 ? [0, 0.7] : [0.35, 0.4];
  const family = ({ model }) => {
    const colour = MODELS.get(model)?.colour ?? "";
    return /^#[0-9a-f]{6}$/i.test(colour) ? colour : GREY;
  };
  const shade = (colour, place) =>
    // of 0, the darkest, to 1
    mix(mix(colour, "#000000", darkest * (1 - place)), "#ffffff", lightest * place);
  return new Map(
    series.map((each) => {
      const mates = series.filter((other) => family(other) === family(each));
      const colour = family(each);
      const own =
        mates.length < 2 ? colour : shade(colour, mates.indexOf(each) / (mates.length - 1));
      return [each, legible(own, paper)];
    }),
  );
}

/** Return the colour of each model by its id, whichever are chosen. */
function modelColours(theme) {
  const colours = coloursOf(
    DATA.models.map(({ id }) => ({ model: id })),
    theme,
  );
  return new Map([...colours].map(([{ model }, colour]) => [model, colour]));
}

/** Return a colour as text may have it: 4.5 to 1. */
const readable = (colour, { ink, paper }) =>
  contrast(colour, paper) >= 4.5 ? colour : mix(colour, ink, 0.45);

// Axes

const NUMBERS = { family: "system-ui, sans-serif", size: 13 };

/** Return round numbers within a range: 1, 2, 5, 10, ..., tens alone, or nearer ones, as they fit. */
function ticksBetween(low, high, most = 10) {
  const within = (steps) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(2)));
    }
    return found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  };
  const usual = within([1, 2, 5]);
  if (usual.length > most) return within([1]);
  if (usual.length > 2) return usual;
  const more = within([1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]);
  return more.length > 2 ? more : evenlyBetween(low, high);
}

/** Return multiples of a round step within a range that spans less than a factor of two or so. */
function evenlyBetween(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const first = Math.ceil(low / step);
  const number = Math.floor(high / step) - first + 1;
  return Array.from({ length: number }, (_, place) =>
    Number(((first + place) * step).toPrecision(6)),
  );
}

/** Return a logarithmic axis over these values, with a margin, whose ticks are plain numbers. */
function logAxis(
  title,
  values,
  theme,
  { margin = 0.05, headroom = margin, powersOf2 = false } = {},
) {
  const known = values.filter((value) => value > 0);
  const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [1, 10];
  const span = Math.max(Math.log10(high / low), 0.3);
  const range = [Math.log10(low) - margin * span, Math.log10(high) + headroom * span];
  const ticks = powersOf2
    ? Array.from({ length: 24 }, (_, power) => 2 ** power).filter(
        (value) => value >= low && value <= high,
      )
    : ticksBetween(10 ** range[0], 10 ** range[1]);
  const thin = powersOf2 && ticks.length > 7 ? ticks.filter((_, place) => place % 2 === 0) : ticks;
  return {
    ...axis(title, theme),
    type: "log",
    range,
    tickvals: thin,
    ticktext: thin.map((value) => (powersOf2 ? String(value) : short(value))),
  };
}

const axis = (title, theme) => ({
  title: { text: plain(title), standoff: 8 },
  color: theme.quiet,
  gridcolor: theme.line,
  linecolor: theme.quiet,
  tickcolor: theme.quiet,
  ticks: "outside",
  ticklen: 4,
  zeroline: false,
  showline: true,
  automargin: true,
  fixedrange: matchMedia("(pointer: coarse)").matches,
});

/** Return what all pictures share. */
const layoutOf = (theme, width, height) => ({
  width,
  height,
  font: { ...NUMBERS, color: theme.ink },
  paper_bgcolor: theme.paper,
  plot_bgcolor: theme.paper,
  margin: { l: 60, r: 16, t: 12, b: 50 },
  hoverlabel: {
    bgcolor: theme.paper,
    bordercolor: theme.quiet,
    font: { ...NUMBERS, color: theme.ink },
    align: "left",
  },
  hovermode: "closest",
  showlegend: true,
  legend: {
    itemclick: false,
    itemdoubleclick: false,
    orientation: "h",
    x: 0,
    y: 1.02,
    yanchor: "bottom",
    font: { size: 13 },
  },
  annotations: [],
  shapes: [],
});

/**
 * Return the word that no crop of a simulated picture may lose: large and faint across a panel, and
 * small and clear in its corner.
 */
function stampsOf(
  entries,
  theme,
  { width, height = Infinity, x = [0, 1], y = [0, 1], corner = "left", over = theme.ink },
) {
  const kinds = unique(entries.map(({ row }) => row.evidence));
  if (!kinds.includes("simulated")) return [];
  const lines = entries.some(({ row }) => row.evidence === "simulated" && row.what !== "cell");
  const others = lines ? "LINES: SIMULATED" : "SQUARES: SIMULATED";
  const text = kinds.includes("measured") ? others : "SIMULATED";
  const placed = { xref: "paper", yref: "paper", showarrow: false, text };
  const across = (1.2 * width * (x[1] - x[0])) / text.length;
  const tilted = height / (0.23 * text.length + 1); // what a panel of this height has room for
  const size = Math.max(14, Math.min(84, across, tilted));
  return [
    {
      ...placed,
      textangle: -18,
      x: (x[0] + x[1]) / 2,
      y: (y[0] + y[1]) / 2,
      xanchor: "center",
      yanchor: "middle",
      font: { size, color: faint(over, over === theme.ink ? 0.09 : 0.22), weight: 700 },
    },
    {
      ...placed,
      x: x[corner === "left" ? 0 : 1],
      y: y[1],
      xanchor: corner,
      yanchor: "top",
      xshift: corner === "left" ? 8 : -8,
      yshift: -8,
      font: { size: 12, color: theme.warn, weight: 700 },
      bgcolor: theme.paper,
      bordercolor: theme.warn,
      borderwidth: 1,
      borderpad: 3,
    },
  ];
}

/** Return places of panels, in rows of so many, as shares of a picture so many pixels high. */
function panelsOf(number, columns, { high, gap, across }) {
  const rows = Math.ceil(number / columns);
  const whole = rows * high + (rows - 1) * gap;
  const wide = (1 - across * (columns - 1)) / columns;
  const places = Array.from({ length: number }, (_, place) => {
    const left = (place % columns) * (wide + across);
    const top = 1 - (Math.floor(place / columns) * (high + gap)) / whole;
    return {
      x: [left, left + wide],
      y: [top - high / whole, top],
      end: place ? String(place + 1) : "",
    };
  });
  return { places, whole };
}

/** Return what is said of a row where the mouse is on it. */
function hoverOf({ row }) {
  const lines = [
    `<b>${plain(modelName(row.model))}</b>, ${plain(row.what === "grid" ? "simulated" : `${row.evidence} ${row.what}`)}`,
    `${plain(shortBoard(row.gpu))}${row.engine ? `, ${plain(engineName(row.engine))}` : ""}`,
    `${count(row.input_tokens)} + ${count(row.output_tokens)} tokens`,
    [
      row.requests && `N = ${count(row.requests)}`,
      row.rate_per_s && `${fmt(row.rate_per_s)} requests/s`,
      row.max_batch_size && `batch ≤ ${count(row.max_batch_size)}`,
    ]
      .filter(Boolean)
      .join(", "),
    row.energy_per_token_j &&
      `${fmt(row.energy_per_token_j)} J/token` +
        (row.energy_low_j ? ` (${fmt(row.energy_low_j)} to ${fmt(row.energy_high_j)})` : ""),
    row.range_low_tokens &&
      `within 2 %: ${count(row.range_low_tokens)} to ${count(row.range_high_tokens)}`,
    row.latency_s && seconds(row.latency_s),
    row.mean_power_w && `${fmt(row.mean_power_w)} W, ${fmt(row.throughput_tokens_per_s)} tokens/s`,
  ];
  return lines.filter(Boolean).join("<br>");
}

const hovering = (entries) => ({ hovertext: entries.map(hoverOf), hoverinfo: "text" });

/** Return names beside the right ends of lines, moved apart where they would meet. */
function endLabels(ends, { range: [low, high], y: [bottom, top], height, theme }) {
  const pixel = (y) => ((high - Math.log10(y)) / (high - low)) * height;
  const sorted = [...ends].sort((a, b) => pixel(a.y) - pixel(b.y));
  let last = -Infinity;
  const places = sorted.map(({ y }) => (last = Math.max(pixel(y), last + 17)));
  const over = Math.max(0, (places.at(-1) ?? 0) - height);
  return sorted.map(({ text, colour }, place) => ({
    xref: "paper",
    x: 1,
    xanchor: "left",
    xshift: 6,
    yref: "paper",
    yanchor: "middle",
    showarrow: false,
    y: top - ((places[place] - over) / height) * (top - bottom),
    text: plain(text),
    align: "left",
    font: {
      size: 13,
      color: readable(colour, theme),
    },
  }));
}

const WIDE = 640; // px from which names stand beside lines
const labelSpace = (texts) => 14 + 7.4 * Math.max(0, ...texts.map((text) => text.length));
