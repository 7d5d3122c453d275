// Pictures: what plotly draws of a view's entries, in the page's colours.

const plain = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** Return the page's colours as they are now, light or dark. */
function themeOf() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(["ink", "paper", "quiet", "line", "warn"].map((name) => [name, of(name)]));
}

// Colours: a family's hue, as figures have it; its members and parts from dark to light.

const GREY = "#777777";
const channels = (colour) => [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
const hex = (parts) => `#${parts.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
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
function legible(colour, { ink, paper }) {
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mix(colour, ink, share);
    if (contrast(mixed, paper) >= 3) return mixed;
  }
  return ink;
}

/** Return the colour of each series: its family's, in shades where several have the same. */
function coloursOf(series, theme) {
  const family = ({ model }) => {
    const colour = MODELS.get(model)?.colour ?? "";
    return /^#[0-9a-f]{6}$/i.test(colour) ? colour : GREY;
  };
  return new Map(
    series.map((each) => {
      const mates = series.filter((other) => family(other) === family(each));
      const place = mates.length < 2 ? 0.5 : mates.indexOf(each) / (mates.length - 1);
      const shade =
        place < 0.5
          ? mix(family(each), "#000000", (0.5 - place) * 1.1)
          : mix(family(each), "#ffffff", (place - 0.5) * 1.1);
      return [each, legible(shade, theme)];
    }),
  );
}

// Axes

const NUMBERS = { family: "system-ui, sans-serif", size: 13 };

/** Return 1, 2, 5, 10, ... within a range, or tens alone where these are too many. */
function ticksBetween(low, high, most = 8) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of [1, 2, 5]) found.push(Number((step * 10 ** power).toPrecision(1)));
  }
  const within = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const tens = within.filter((value) => /^[10.e+-]+$/.test(String(value)));
  return within.length > most ? tens : within;
}

/** Return a logarithmic axis over these values, with a margin, whose ticks are plain numbers. */
function logAxis(title, values, theme, { margin = 0.05, powersOf2 = false } = {}) {
  const known = values.filter((value) => value > 0);
  const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [1, 10];
  const pad = Math.max(margin * Math.log10(high / low), 0.02);
  const range = [Math.log10(low) - pad, Math.log10(high) + pad];
  const ticks = powersOf2
    ? Array.from({ length: 24 }, (_, power) => 2 ** power).filter((value) => value >= low && value <= high)
    : ticksBetween(10 ** range[0], 10 ** range[1]);
  const thin = powersOf2 && ticks.length > 7 ? ticks.filter((_, place) => place % 2 === 0) : ticks;
  return {
    ...axis(title, theme),
    type: "log",
    range,
    tickvals: thin,
    ticktext: thin.map((value) => (powersOf2 ? String(value) : fmt(value))),
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
  hoverlabel: { bgcolor: theme.paper, bordercolor: theme.quiet, font: { ...NUMBERS, color: theme.ink }, align: "left" },
  hovermode: "closest",
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 13 } },
  annotations: [],
  shapes: [],
});

/** Return the word that no crop of a simulated picture may lose, large and faint, and small and clear. */
function stampsOf(entries, theme, { x = 0.5, y = 0.5, width, xref = "paper", yref = "paper", domain }) {
  const kinds = unique(entries.map(({ row }) => row.evidence));
  if (!kinds.includes("simulated")) return [];
  const grids = entries.some(({ row }) => row.evidence === "simulated" && row.what !== "cell");
  const text = kinds.length === 1 ? "SIMULATED" : grids ? "LINES: SIMULATED" : "SQUARES: SIMULATED";
  const [left, top] = domain ?? [0, 1];
  return [
    {
      x, y, xref, yref, showarrow: false, textangle: -18, text,
      font: { size: Math.max(16, Math.min(84, (1.25 * width) / text.length)), color: faint(theme.ink, 0.09), weight: 700 },
    },
    {
      x: left, y: top, xref, yref, showarrow: false, xanchor: "left", yanchor: "top", xshift: 8, yshift: -8, text,
      font: { size: 12, color: theme.warn, weight: 700 }, bgcolor: theme.paper,
      bordercolor: theme.warn, borderwidth: 1, borderpad: 3,
    },
  ];
}

/** Return what is said of a row where the mouse is on it. */
function hoverOf({ row, series }) {
  const name = row.what === "grid" || !series ? modelName(row.model) : modelName(series.model);
  const lines = [
    `<b>${plain(name)}</b>, ${plain(row.what === "grid" ? "simulated" : `${row.evidence} ${row.what}`)}`,
    `${plain(shortBoard(row.gpu))}${row.engine ? `, ${plain(row.engine)}` : ""}`,
    `${count(row.input_tokens)} + ${count(row.output_tokens)} tokens`,
    [row.requests && `N = ${count(row.requests)}`, row.rate_per_s && `${fmt(row.rate_per_s)} requests/s`,
      row.max_batch_size && `batch ≤ ${count(row.max_batch_size)}`].filter(Boolean).join(", "),
    row.energy_per_token_j &&
      `${fmt(row.energy_per_token_j)} J/token` +
        (row.energy_low_j ? ` (${fmt(row.energy_low_j)} to ${fmt(row.energy_high_j)})` : ""),
    row.range_low_tokens && `within 2 %: ${count(row.range_low_tokens)} to ${count(row.range_high_tokens)}`,
    row.latency_s && seconds(row.latency_s),
    row.mean_power_w && `${fmt(row.mean_power_w)} W, ${fmt(row.throughput_tokens_per_s)} tokens/s`,
  ];
  return lines.filter(Boolean).join("<br>");
}

const hovering = (entries) => ({ hovertext: entries.map(hoverOf), hoverinfo: "text" });

/** Return names beside the right ends of lines, moved apart where they would meet. */
function endLabels(ends, { range, height, theme }) {
  const [low, high] = range;
  const pixel = (y) => ((high - Math.log10(y)) / (high - low)) * height;
  const sorted = [...ends].sort((a, b) => pixel(a.y) - pixel(b.y));
  let last = -Infinity;
  const places = sorted.map(({ y }) => (last = Math.max(pixel(y), last + 17)));
  const over = Math.max(0, (places.at(-1) ?? 0) - height);
  return sorted.map(({ text, colour }, place) => ({
    xref: "paper", x: 1, xanchor: "left", xshift: 6, yref: "paper", showarrow: false,
    y: 1 - (places[place] - over) / height, text: plain(text), align: "left",
    font: { size: 13, color: contrast(colour, theme.paper) >= 4.5 ? colour : mix(colour, theme.ink, 0.45) },
  }));
}

const WIDE = 640; // px from which names stand beside lines
const labelSpace = (texts) => 14 + 7.4 * Math.max(0, ...texts.map((text) => text.length));
