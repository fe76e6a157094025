"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = () => innerWidth < 640;
// Names come from files. The page's data has them plain (files/plain.py); each passes through one of these two.
const inHtml = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
// Plotly takes tags and entities in every text; names are cut as `in_plotly` of files/escaping.py cuts them.
const cut = (letters, most) => (letters.length > most ? [...letters.slice(0, most >> 1), "…", ...letters.slice((most >> 1) + 1 - most)] : letters).join("");
const inPlotly = (text, most = 60) => cut([...text], most).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const drawn = new Map();

// A figure in the page's colours; drawn again where those or the width change.
function draw(place, figure) {
  if (!place) return;
  drawn.set(place, figure);
  const axis = { gridcolor: ink("--line"), linecolor: ink("--line"), zerolinecolor: ink("--line"), automargin: true };
  const layout = {
    ...figure.layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: ink("--ink"), family: "system-ui, 'DejaVu Sans', sans-serif", size: narrow() ? 11 : 13 },
    margin: { l: 56, r: 16, t: 12, b: 48, ...(figure.layout.margin || {}) },
    xaxis: { ...axis, ...figure.layout.xaxis },
    yaxis: { ...axis, ...figure.layout.yaxis },
    legend: { orientation: "h", y: -0.22, yanchor: "top", x: 0, bgcolor: "rgba(0,0,0,0)", ...(figure.layout.legend || {}) },
    hoverlabel: { bgcolor: ink("--raised"), bordercolor: ink("--line"), namelength: -1, font: { color: ink("--ink") } },
    height: figure.layout.height || 380 + 18 * Math.max(0, figure.data.filter((t) => t.showlegend !== false).length / (narrow() ? 2 : 4) - 1),
  };
  for (const key of ["xaxis", "yaxis"]) if (layout[key].type === "log") Object.assign(layout[key], logTicks(figure.data, key, /%$/.test(layout[key].tickformat || "")));
  Plotly.react(place, figure.data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
}

// Ticks of a logarithmic axis, each written out: 1, 2, 5, 10 or powers of ten; between two of those, even steps.
function logTicks(traces, key, percent) {
  const values = traces.flatMap((trace) => [...(trace[key[0]] || [])]).filter((v) => typeof v === "number" && v > 0 && isFinite(v));
  if (!values.length) return {};
  const low = Math.min(...values), high = Math.max(...values), decades = Math.log10(high / low);
  const ticks = [];
  if (decades < 0.45) {
    const rough = Math.max(high - low, 0.05 * high) / 3, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((m) => m * power >= rough);
    for (let i = Math.max(1, Math.floor(low / step) - 4); i <= Math.ceil(high / step) + 4; i++) ticks.push(i * step);
  } else {
    const every = Math.max(1, Math.ceil(decades / (narrow() ? 5 : 9)));
    for (let e = Math.floor(Math.log10(low)) - 1; e <= Math.ceil(Math.log10(high)) + 1; e++) {
      if (e % every === 0) for (const m of decades > (narrow() ? 1.5 : 3) ? [1] : [1, 2, 5]) ticks.push(m * 10 ** e);
    }
  }
  return { tickmode: "array", tickvals: ticks, ticktext: ticks.map((v) => inDigits(v, percent)) };
}

function inDigits(value, percent) {
  const v = Number((percent ? 100 * value : value).toPrecision(6)), power = Math.floor(Math.log10(v) + 1e-9);
  const text = power >= -4 && power < 5 ? `${v}` : `${v === 10 ** power ? "" : `${Number((v / 10 ** power).toPrecision(4))}·`}10<sup>${power}</sup>`;
  return percent ? `${text}%` : text;
}

function chart(name, place) {
  if (name !== null && data.figures[name]) draw(place, data.figures[name]);
  else if (place) { place.hidden = true; }
}

function strips(instance) {
  const place = at("strips");
  if (!place) return;
  const facts = data.instances[instance];
  const seen = new Set();
  const best = data.runs.filter((r) => r.instance === instance && !seen.has(r.solver) && seen.add(r.solver));
  if (!facts || !best.length) { place.innerHTML = "<p class=hint>No run has a placement.</p>"; at("strip-key").innerHTML = ""; return; }
  const names = facts.tasks.flatMap((t) => t.layers.map((l, j) => [t.name, l, j]));
  const letters = names.length <= 60 && !narrow();
  place.innerHTML = best.map((run) => {
    const inside = run.servers.map((s, k) => {
      const server = facts.servers[s], [task, layer, j] = names[k];
      return `<i class="${j === 0 && k > 0 ? "task" : ""}" style="background:${server.colour};color:${on(server.colour)}" title="${inHtml(`${task}: ${layer} on ${server.name}`)}">${letters ? server.letter : ""}</i>`;
    }).join("");
    const gap = run.q === null ? "not feasible" : run.gap === null || run.gap === undefined ? "" : (100 * run.gap).toFixed(2) + " %";
    const solver = inHtml(data.solvers[run.solver].name);
    return `<div class=strip><span title="${solver}">${solver}</span><span class=cells>${inside}</span><span>${gap}</span></div>`;
  }).join("");
  at("strip-key").innerHTML = "The best run of each solver, a cell for each layer in the file's order; its gap to the best known on the right. " + serverKey(facts);
}

// Many clients look alike: one entry stands for them.
function serverKey(facts) {
  const clients = facts.servers.filter((s) => s.client);
  const shown = clients.length > 6 ? [{ ...clients[0], name: `${clients.length.toLocaleString("en")} clients` }, ...facts.servers.filter((s) => !s.client)] : facts.servers;
  return shown.map((s) => `<span><b style="background:${s.colour};color:${on(s.colour)}">${s.letter}</b>${inHtml(s.name)}</span>`).join("");
}

const middle = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

function scatter(instance) {
  const place = at("scatter");
  if (!place) return;
  // What breaks constraints is compared with nothing.
  const runs = data.runs.filter((r) => r.instance === instance && r.q !== null);
  const most = Math.max(...runs.map((r) => r.cost), 1e-300), alone = data.instances[instance].client_only;
  place.hidden = !runs.length;
  if (!runs.length) return;
  const solvers = [...new Set(runs.map((r) => r.solver))].sort((a, b) => a - b);
  draw(place, {
    data: [...solvers.map((solver) => {
      const mine = runs.filter((r) => r.solver === solver), style = data.solvers[solver];
      return {
        type: "scatter", mode: "markers", name: inPlotly(style.name), x: mine.map((r) => r.delay), y: mine.map((r) => r.energy),
        text: mine.map((r) => `seed ${r.seed}<br>cost $${r.cost.toPrecision(4)}<br>Q ${r.q.toPrecision(6)}`),
        hovertemplate: "%{fullData.name}, %{text}<br>delay %{x:.4g} s<br>energy %{y:.4g} J<extra></extra>",
        marker: { color: style.colour, symbol: style.marker, size: mine.map((r) => 8 + 14 * Math.sqrt(r.cost / most)), opacity: 0.8, line: { width: 1, color: ink("--ground") } },
      };
    }), {
      type: "scatter", mode: "markers+text", name: "everything on the device", x: [alone.delay], y: [alone.energy], cliponaxis: false,
      marker: { symbol: "cross-thin", size: 16, line: { width: 2, color: ink("--ink") } }, text: [` ${alone.name}`], textfont: { color: ink("--ink") },
      textposition: alone.delay > middle(runs.map((r) => r.delay)) ? "bottom left" : "bottom right",
      hovertemplate: `everything on the device<br>delay %{x:.4g} s<br>energy %{y:.4g} J<br>cost $${alone.cost.toPrecision(4)}<br>Q ${alone.q.toPrecision(6)}<extra></extra>`,
    }],
    layout: {
      xaxis: { title: { text: "delay, s" }, type: "log" }, yaxis: { title: { text: "energy, J" }, type: "log" },
      shapes: [["x", alone.delay], ["y", alone.energy]].map(([key, value]) => ({
        type: "line", xref: key === "x" ? "x" : "paper", yref: key === "y" ? "y" : "paper", layer: "below",
        x0: key === "x" ? value : 0, x1: key === "x" ? value : 1, y0: key === "y" ? value : 0, y1: key === "y" ? value : 1,
        line: { color: ink("--soft"), width: 1, dash: "dot" },
      })),
    },
  });
}

// A bar for each memory; what is too much goes beyond the mark of its limit.
function memories(run) {
  const most = Math.max(1, ...run.memories.map(([, used, admitted]) => used / admitted));
  at("memories").innerHTML = (run.memories.length ? "<h3>Weights in memory</h3>" : "") + run.memories.map(([name, used, admitted, share]) => {
    const width = (part) => `${((100 * part) / most).toFixed(2)}%`, name_ = inHtml(name);
    return `<div class="memory ${used > admitted ? "late" : ""}"><span title="${name_}">${name_}</span><span class=bar><i style="width:${width(used / admitted)}"></i><b style="left:${width(1)}"></b></span>` +
      `<span>${used.toPrecision(4) / 1} of ${admitted.toPrecision(4) / 1} MB (${share})</span></div>`;
  }).join("");
}

function pickRun() { gantt(data.runs.filter((r) => r.instance === at("pick-instance").selectedIndex)[at("pick-run").selectedIndex]); }

function pickInstance() {
  const instance = at("pick-instance").selectedIndex;
  const place = at("anytime");
  place.hidden = false;
  chart(data.instances[instance].anytime, place);
  strips(instance);
  scatter(instance);
  const runs = data.runs.filter((r) => r.instance === instance);
  at("pick-run").innerHTML = runs.map((r) => `<option>${inHtml(data.solvers[r.solver].name)}, seed ${r.seed}: ${r.q === null ? `not feasible, violation ${r.violation.toPrecision(4)}` : `Q ${r.q.toPrecision(6)}`}</option>`).join("");
  if (runs.length) pickRun();
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.className += " sorts";
    head.tabIndex = 0;
    const sort = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => {
        const text = row.cells[column].textContent;
        if (!head.classList.contains("r")) return text;
        return text.startsWith("∞") ? Infinity : text === "" ? NaN : parseFloat(text);
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const x = value(a), y = value(b);
        if (typeof x === "string") return (up ? 1 : -1) * x.localeCompare(y);
        if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
        return x === y ? 0 : (up ? 1 : -1) * (x < y ? -1 : 1);
      });
      table.tBodies[0].append(...rows);
    };
    head.onclick = sort;
    head.onkeydown = (event) => { if (event.key === "Enter") sort(); };
  });
}
