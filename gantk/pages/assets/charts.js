"use strict";
// Curves of a training: each chart is a uPlot, with buttons as its legend so that it can be used by keyboard.
const Charts = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const shown = new Map();  // figure → {plot, hidden}
  const state = { smoothing: 0, axis: "steps", logarithmic: false };
  const names = { steps: "steps", images: "images", hours: "hours" };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });
  const read = (value) => (value == null ? "–" : Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 }));

  function axisOf(figure) {  // runs of early versions logged only steps
    const series = data.charts[figure.dataset.chart];
    return series.every((each) => data.runs[each.run][state.axis].length) ? state.axis : "steps";
  }

  function points(series, axis) {
    const at = data.runs[series.run][axis], xs = [], ys = [];
    series.values.forEach((value, row) => {
      if (value === null || (state.logarithmic && value <= 0)) return;
      if (xs.length && at[row] <= xs[xs.length - 1]) return;
      xs.push(at[row]);
      ys.push(value);
    });
    return [xs, ys];
  }

  function smoothed(values) {  // a moving average whose first values are not drawn to zero
    let sum = 0, weight = 0;
    return values.map((value) => {
      sum = state.smoothing * sum + (1 - state.smoothing) * value;
      weight = state.smoothing * weight + (1 - state.smoothing);
      return sum / weight;
    });
  }

  function stageLines(runs, axis) {  // where stages begin, if all runs of a chart have the same
    const own = runs.map((run) => run.stages.map(([name, step]) => {
      const row = run.steps.indexOf(step) >= 0 ? run.steps.indexOf(step) : run.steps.findIndex((each) => each >= step);
      return [name, row > 0 ? run[axis][row - 1] : null];
    }));
    return own.every((each) => JSON.stringify(each) === JSON.stringify(own[0])) && own[0].length > 1 ? own[0] : [];
  }

  const follows = (event) => event === "mousemove" || event === "mouseleave";  // charts share the cursor, but not the zoom

  function options(figure, width, axis, series, hidden) {
    const many = data.runs.length > 1, raw = state.smoothing > 0;
    const style = (each, number) => ({
      label: each.label, stroke: color(`--c${(many ? each.run : number) % 8}`), spanGaps: true, show: !hidden.has(number),
    });
    const drawn = series.map((each, number) => ({ ...style(each, number), width: 2, points: { show: each.values.filter((v) => v !== null).length < 25 } }));
    const behind = raw ? series.map((each, number) => ({ ...style(each, number), width: 1, alpha: 0.28, points: { show: false } })) : [];
    const lines = stageLines([...new Set(series.map((each) => each.run))].map((run) => data.runs[run]), axis);
    const ink = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    return {
      width, height: 240, legend: { show: false },
      scales: { x: { time: false }, y: { distr: state.logarithmic ? 3 : 1 } },
      axes: [
        { ...ink, label: names[axis], labelFont: "12px system-ui, sans-serif", labelSize: 18, size: 34, values: (_, ticks) => ticks.map((tick) => compact.format(tick)) },
        { ...ink, size: 58, values: (_, ticks) => ticks.map((tick) => (tick == null ? "" : compact.format(tick))) },
      ],
      series: [{ label: names[axis] }, ...behind, ...drawn],
      cursor: { drag: { x: true, y: false }, focus: { prox: 24 }, sync: { key: "training", scales: ["x", null], filters: { pub: follows } } },
      hooks: {
        setCursor: [(plot) => readout(figure, plot, behind.length)],
        draw: [(plot) => stageMarks(plot, lines)],
      },
    };
  }

  function stageMarks(plot, lines) {
    const { ctx, bbox } = plot, ratio = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = color("--soft");
    ctx.textAlign = "left";
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    const { min, max } = plot.scales.x, right = bbox.left + bbox.width;
    lines.forEach(([name, at], number) => {
      const next = number + 1 < lines.length ? lines[number + 1][1] : Infinity;
      if (next <= min || (at !== null && at >= max)) return;
      const x = at === null ? bbox.left : Math.max(bbox.left, plot.valToPos(at, "x", true));
      if (x > bbox.left) { ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke(); }
      const text = name.slice(0, 24), start = x + 5 * ratio;
      if (start + ctx.measureText(text).width < right) ctx.fillText(text, start, bbox.top + 11 * ratio);
    });
    ctx.restore();
  }

  function readout(figure, plot, skipped) {
    const at = plot.cursor.idx;
    figure.querySelectorAll(".legend button").forEach((button, number) => {
      const values = plot.data[1 + skipped + number];
      let row = at;
      while (row != null && row >= 0 && values[row] == null) row -= 1;  // another run's row
      button.querySelector("b").textContent = row == null || row < 0 ? "" : read(values[row]);
    });
  }

  function legend(figure, series, hidden) {
    const box = figure.querySelector(".legend");
    if (box.childElementCount) return;
    series.forEach((each, number) => {
      const button = document.createElement("button"), swatch = document.createElement("span");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      swatch.className = `swatch color-${(data.runs.length > 1 ? each.run : number) % 8}`;
      swatch.setAttribute("aria-hidden", "true");
      button.append(swatch, document.createTextNode(each.label), document.createElement("b"));
      button.addEventListener("click", () => {
        hidden.has(number) ? hidden.delete(number) : hidden.add(number);
        button.setAttribute("aria-pressed", String(!hidden.has(number)));
        draw(figure);
      });
      box.append(button);
    });
  }

  function draw(figure) {
    const place = figure.querySelector(".plot"), width = Math.floor(place.clientWidth);
    if (!width) return;  // in a group that is closed
    const before = shown.get(figure), hidden = before ? before.hidden : new Set();
    const series = data.charts[figure.dataset.chart], axis = axisOf(figure);
    const raw = series.map((each) => points(each, axis));
    const drawn = raw.map(([xs, ys]) => [xs, state.smoothing ? smoothed(ys) : ys]);
    if (before) before.plot.destroy();
    legend(figure, series, hidden);
    const tables = [...(state.smoothing ? raw : []), ...drawn];
    const plot = new uPlot(options(figure, width, axis, series, hidden), uPlot.join(tables), place);
    shown.set(figure, { plot, hidden });
  }

  const ZOOM = { "+": 0.5, "=": 0.5, "-": 2 };

  function zoom(plot, factor) {  // around the cursor, as far as there are values
    const { min, max } = plot.scales.x, xs = plot.data[0], half = (max - min) * factor / 2;
    const center = plot.cursor.idx == null ? (min + max) / 2 : xs[plot.cursor.idx];
    plot.setScale("x", { min: Math.max(xs[0], center - half), max: Math.min(xs[xs.length - 1], center + half) });
  }

  function keys(event, figure) {
    const { plot } = shown.get(figure) || {};
    const last = plot ? plot.data[0].length - 1 : -1;
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape" && plot) return draw(figure);
    if (event.key in ZOOM && plot) return zoom(plot, ZOOM[event.key]);
    if (!(event.key in moves) || last < 0) return;
    event.preventDefault();
    const from = plot.cursor.idx ?? (moves[event.key] > 0 ? -1 : last + 1);
    const to = Math.min(last, Math.max(0, from + moves[event.key]));
    const x = plot.data[0][to];
    plot.setCursor({ left: plot.valToPos(x, "x"), top: 20 }, true, true);
    const said = [...figure.querySelectorAll(".legend button")].map((each) => `${each.childNodes[1].data} ${each.querySelector("b").textContent}`);
    document.getElementById("reading").textContent = `${names[axisOf(figure)]} ${read(x)}: ${said.join(", ")}`;
  }

  function drawAll() { document.querySelectorAll(".chart").forEach(draw); }

  function start() {
    if (data.runs.every((run) => !run.hours.length)) document.querySelectorAll("#axis option").forEach((each) => { each.hidden = each.value !== "steps"; });
    const resized = new ResizeObserver((changes) => changes.forEach(({ target }) => {
      const figure = target.closest(".chart"), known = shown.get(figure);
      if (!known || known.plot.width !== Math.floor(target.clientWidth)) draw(figure);
    }));
    document.querySelectorAll(".chart").forEach((figure) => {
      const place = figure.querySelector(".plot");
      resized.observe(place);
      place.addEventListener("keydown", (event) => keys(event, figure));
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
    const on = (id, kind, change) => document.getElementById(id)?.addEventListener(kind, (event) => { change(event.target); drawAll(); });
    on("smoothing", "input", (input) => {
      state.smoothing = Number(input.value) / 100;
      document.getElementById("smoothing-value").textContent = state.smoothing || "0";
    });
    on("axis", "change", (select) => { state.axis = select.value; });
    on("logarithmic", "change", (box) => { state.logarithmic = box.checked; });
  }
  return { start };
})();
