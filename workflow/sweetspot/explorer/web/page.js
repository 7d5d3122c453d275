// The page: a state is an address, an address a view. Controls ask for a state, nothing else does.

const PLOTS = {
  curve: curvePlot,
  map: mapPlot,
  power: powerPlot,
  pareto: paretoPlot,
  cost: costPlot,
};
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
  if (state && location.hash === hashOf(state)) return;
  state = stateOf(location.hash);
  if (location.hash !== hashOf(state)) location.replace(hashOf(state));
  render();
}

// What is shown

let entries = [];

function render() {
  const theme = themeOf();
  entries = entriesOf(state);
  syncControls(theme);
  byId("heading").textContent = VIEWS[state.view].title;
  document.title = `${VIEWS[state.view].title}: ${DATA.title}`;
  byId("choice").textContent = choiceInWords(state, entries);
  byId("sentence").textContent = sentenceOf(state, entries);
  byId("reading").textContent = readingOf(state, entries);
  byId("figure").setAttribute("aria-label", altText(state, entries));
  draw(theme);
  renderTable();
}

/** Draw the view; what is in words does not wait for plotly, which takes a second to load. */
function draw(theme, width = byId("figure").clientWidth) {
  if (!window.Plotly) return;
  const { traces, layout } = entries.length
    ? PLOTS[state.view](state, entries, theme, width)
    : {
        traces: [],
        layout: {
          ...layoutOf(theme, width, 320),
          xaxis: { visible: false },
          yaxis: { visible: false },
        },
      };
  Plotly.react("figure", traces, layout, { displayModeBar: false, displaylogo: false });
}

function renderTable() {
  const holder = byId("table").querySelector(".scroll");
  if (!byId("table").open) return holder.replaceChildren();
  const rows = entries.map(({ row }) => row);
  const columns = columnsOf(rows);
  const kind = Object.fromEntries(
    columns.map((name) => [name, rows.some((row) => typeof row[name] === "string") ? "text" : ""]),
  );
  const head = columns.map((name) =>
    element("th", { scope: "col", className: kind[name], textContent: HEADINGS[name] }),
  );
  const said = (value) =>
    typeof value === "number" && !Number.isInteger(value) ? fmt(value) : (value ?? "");
  const body = rows.map((row) =>
    element(
      "tr",
      {},
      ...columns.map((name) =>
        element("td", { className: kind[name], textContent: said(row[name]) }),
      ),
    ),
  );
  holder.replaceChildren(
    element(
      "table",
      {},
      element("caption", {
        className: "quiet",
        textContent: `${VIEWS[state.view].title}: ${choiceInWords(state, entries)}`,
      }),
      element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...body),
    ),
  );
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

const PRINTED_PX = 680; // on A4 and on Letter

function drawFirst() {
  draw(themeOf());
  performance.mark("first-plot");
}

buildControls();
followUrl();
addEventListener("hashchange", followUrl);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
let widthDrawn = byId("figure").clientWidth;
new ResizeObserver(() => {
  const width = byId("figure").clientWidth;
  if (width === widthDrawn || "print" in document.documentElement.dataset) return;
  widthDrawn = width;
  draw(themeOf());
}).observe(byId("figure"));
addEventListener("beforeprint", () => {
  document.documentElement.dataset.print = ""; // paper is white
  draw(themeOf(), PRINTED_PX);
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  draw(themeOf());
});
