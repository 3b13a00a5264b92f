// Draws one Plotly spec in place: the element stays, so zoom stays; colours are tokens, resolved for the theme here.
const PALETTE = __PALETTE__;
const ADDRESS = "__ADDRESS__";
const TOKEN = /^\$([a-z]+\d*)(?:\/(\.\d+))?$/;

// Streamlit's own script says where the app really lives, whatever path or proxy stands before it.
function base() {
  const script = document.querySelector('script[src*="static/js/"]');
  return script ? script.src.slice(0, script.src.lastIndexOf("/static/js/")) : "";
}

function library() {
  window.__releaseReviewPlotly ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = base() + ADDRESS;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { window.__releaseReviewPlotly = undefined; script.remove(); failed(new Error(script.src)); };
    document.head.appendChild(script);
  });
  return window.__releaseReviewPlotly;
}

function isDark(element) {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(
    getComputedStyle(element).getPropertyValue("--st-background-color").trim());
  if (!hex) return getComputedStyle(element).colorScheme === "dark";
  const [red, green, blue] = hex.slice(1).map((part) => parseInt(part, 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

function colour(text, palette) {
  const found = TOKEN.exec(text);
  const hex = found && palette[found[1]];
  if (!hex) return text;
  if (!found[2]) return hex;
  const parts = [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
  return `rgba(${parts.join(",")},${found[2]})`;
}

function paint(value, palette) {
  if (typeof value === "string") return colour(value, palette);
  if (Array.isArray(value)) return value.map((item) => paint(item, palette));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, paint(item, palette)]));
  }
  return value;
}

function figure(element, text) {
  const spec = paint(JSON.parse(text), PALETTE[isDark(element) ? "dark" : "light"]);
  spec.layout.font.family = getComputedStyle(element).fontFamily;
  return spec;
}

async function draw(element, plotly) {
  const spec = figure(element, element.__state.spec);
  // A new revision each time: a line that was moved goes where this spec says, not where it was let go.
  spec.layout.editrevision = element.__state.draws = (element.__state.draws ?? 0) + 1;
  const config = { displayModeBar: false, responsive: false, edits: { shapePosition: Boolean(spec.layout.meta) } };
  await plotly.react(element, spec.data, spec.layout, config);
}

function listen(element, plotly) {
  const state = element.__state;
  element.on("plotly_click", (event) => {
    const point = event.points[0];
    state.send("click", { x: point.x, y: point.y, key: point.customdata ?? null });
  });
  element.on("plotly_relayout", (change) => {
    const meta = element.layout.meta;
    const moved = Object.keys(change).find((key) => /^shapes\[\d+\]\.x0$/.test(key));
    if (!meta || !moved) return;
    // Plotly lets all lines be dragged or none; only the last may be, and those that mark what is in force return.
    const line = Number(/\d+/.exec(moved)[0]) - meta.drag;
    if (line < 0) { draw(element, plotly); return; }
    const x = change[moved];
    state.send("drag", { line, score: meta.scale === "log_odds" ? 1 / (1 + Math.exp(-x)) : x });
  });
  let width = element.clientWidth;
  state.observer = new ResizeObserver(() => {
    if (element.clientWidth === width || !element.clientWidth) return;
    width = element.clientWidth;
    plotly.Plots.resize(element);
  });
  state.observer.observe(element);
}

function explain(element, error) {
  const box = document.createElement("p");
  box.setAttribute("role", "alert");
  box.className = "chart-error";
  box.textContent = `This chart could not be drawn (${error.message}). Its numbers are right and stand below, ` +
    "under “Definition, data, SQL”. Reload the page to try again.";
  element.replaceChildren(box);
}

export default function ({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector(".chart");
  const dark = isDark(element);
  const state = (element.__state ??= {});
  state.send = setTriggerValue;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", data.alt);
  if (state.spec !== data.spec || state.dark !== dark) {
    Object.assign(state, { spec: data.spec, dark });
    element.style.height = `${JSON.parse(data.spec).layout.height}px`;
    library()
      .then(async (plotly) => {
        if (element.__state !== state) return;
        await draw(element, plotly);
        if (!state.observer) listen(element, plotly);
      })
      .catch((error) => { state.spec = undefined; explain(element, error); });
  }
  return () => {
    state.observer?.disconnect();
    window.Plotly?.purge(element);
    element.__state = undefined;
  };
}
