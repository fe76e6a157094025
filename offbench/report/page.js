"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = () => innerWidth < 640;
// Names come from files. The page's data has them plain (files/plain.py); each passes through one of these two.
const inHtml = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
// Plotly takes tags and entities in every text; names are cut as `in_plotly` of files/escaping.py cuts them.
const cut = (letters) => (letters.length > 60 ? [...letters.slice(0, 30), "…", ...letters.slice(-29)] : letters).join("");
const inPlotly = (text) => cut([...text]).replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
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
  // Powers of ten, and on a narrow screen nothing between them.
  for (const key of ["xaxis", "yaxis"]) {
    if (layout[key].type === "log") layout[key] = { dtick: layout[key].tickformat || narrow() ? 1 : "D2", exponentformat: "power", ...layout[key] };
  }
  Plotly.react(place, figure.data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
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
      return `<i class="${j === 0 && k > 0 ? "task" : ""}" style="background:${server.colour}" title="${inHtml(`${task}: ${layer} on ${server.name}`)}">${letters ? server.letter : ""}</i>`;
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
  return shown.map((s) => `<span><b style="background:${s.colour}">${s.letter}</b>${inHtml(s.name)}</span>`).join("");
}

function scatter(instance) {
  const place = at("scatter");
  if (!place) return;
  // What breaks constraints is compared with nothing.
  const runs = data.runs.filter((r) => r.instance === instance && r.q !== null);
  const most = Math.max(...runs.map((r) => r.cost), 1e-300);
  const solvers = [...new Set(runs.map((r) => r.solver))].sort((a, b) => a - b);
  draw(place, {
    data: solvers.map((solver) => {
      const mine = runs.filter((r) => r.solver === solver), style = data.solvers[solver];
      return {
        type: "scatter", mode: "markers", name: inPlotly(style.name), x: mine.map((r) => r.delay), y: mine.map((r) => r.energy),
        text: mine.map((r) => `seed ${r.seed}<br>cost $${r.cost.toPrecision(4)}<br>Q ${r.q.toPrecision(6)}`),
        hovertemplate: "%{fullData.name}, %{text}<br>delay %{x:.4g} s<br>energy %{y:.4g} J<extra></extra>",
        marker: { color: style.colour, symbol: style.marker, size: mine.map((r) => 8 + 14 * Math.sqrt(r.cost / most)), opacity: 0.8, line: { width: 1, color: ink("--ground") } },
      };
    }),
    layout: { xaxis: { title: { text: "delay, s" }, type: "log" }, yaxis: { title: { text: "energy, J" }, type: "log" } },
  });
}

// Rows are slots of servers; above each server's slots, a thin lane for what is on its way to it or waits.
function gantt(run) {
  const place = at("gantt");
  if (!place || !run) return;
  const facts = data.instances[run.instance];
  const names = facts.tasks.flatMap((t) => t.layers.map((l) => (facts.tasks.length > 1 ? `${inPlotly(t.name)} / ${inPlotly(l)}` : inPlotly(l))));
  const lanes = run.rows;
  const rows = [], rowOf = {};
  lanes.forEach(([s, slot]) => {
    if (!(`${s}/in` in rowOf)) { rowOf[`${s}/in`] = rows.length; rows.push(""); }
    rowOf[`${s}/${slot}`] = rows.length;
    rows.push(lanes.filter((l) => l[0] === s).length > 1 ? `${inPlotly(facts.servers[s].name)} · ${slot + 1}` : inPlotly(facts.servers[s].name));
  });
  const all = run.servers.map((s, k) => k).filter((k) => `${run.servers[k]}/in` in rowOf);
  const bar = (ks, from, to, lane, width, extra) => ({
    type: "bar", orientation: "h", base: ks.map((k) => from[k]), x: ks.map((k) => to[k] - from[k]),
    y: ks.map((k) => rowOf[`${run.servers[k]}/${lane(k)}`]), width, showlegend: false, ...extra,
  });
  const said = (k, what, s) => `${names[k]}<br>${what} ${s.toPrecision(4)} s on ${inPlotly(facts.servers[run.servers[k]].name)}`;
  const coming = all.filter((k) => run.ready[k] > run.sent[k]), waiting = all.filter((k) => run.start[k] - run.ready[k] > 1e-12);
  const hover = "%{text}<extra></extra>";
  const traces = [
    bar(coming, run.sent, run.ready, () => "in", 0.3, { marker: { color: ink("--soft"), opacity: 0.75 }, hovertemplate: hover, text: coming.map((k) => said(k, "input comes for", run.ready[k] - run.sent[k])), textposition: "none" }),
    bar(waiting, run.ready, run.start, () => "in", 0.7, { marker: { color: "rgba(0,0,0,0)", line: { color: ink("--soft"), width: 1 }, pattern: { shape: "/", fgcolor: ink("--soft"), size: 6 } }, hovertemplate: hover, text: waiting.map((k) => said(k, "waits", run.start[k] - run.ready[k])), textposition: "none" }),
    bar(all, run.start, run.end, (k) => run.slots[k], 0.84, { marker: { color: all.map((k) => facts.servers[run.servers[k]].colour), line: { color: ink("--ground"), width: 0.5 } }, hovertemplate: hover, text: all.map((k) => said(k, "runs", run.end[k] - run.start[k])), textposition: "none" }),
  ];
  const due = run.deadlines.filter(([, k]) => `${run.servers[k]}/in` in rowOf);
  const marks = (late, colour) => {
    const these = due.filter((d) => d[3] === late);
    return {
      type: "scatter", mode: "markers", showlegend: false, x: these.map((d) => d[2]), y: these.map(([, k]) => rowOf[`${run.servers[k]}/${run.slots[k]}`]),
      marker: { symbol: "line-ns", size: 20, line: { width: 3, color: colour } }, hovertemplate: hover,
      text: these.map(([task, k, at]) => `deadline of ${inPlotly(facts.tasks[task].name)}: ${at.toPrecision(4)} s, complete at ${run.end[k].toPrecision(4)} s`),
    };
  };
  if (due.length) traces.push(marks(false, ink("--ink")), marks(true, ink("--late")));
  draw(place, {
    data: traces,
    layout: {
      barmode: "overlay", height: 90 + 21 * rows.length,
      xaxis: { title: { text: "seconds" } },
      yaxis: { tickvals: rows.map((_, i) => i).filter((i) => rows[i]), ticktext: rows.filter(Boolean), range: [rows.length - 0.4, -0.6], showgrid: false, zeroline: false },
    },
  });
  const deadlines = due.length ? "<span><b class=due></b>deadline, in the row where its task ends</span><span><b class='due late'></b>missed</span>" : "";
  const folded = run.folded ? `<span>${inHtml(run.folded)}</span>` : "";
  at("gantt-key").innerHTML = "<span><b class=comes></b>input on its way</span><span><b class=waits></b>waits for a slot</span>" + deadlines + serverKey(facts) + folded;
  memories(run);
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

document.querySelectorAll("[data-filter]").forEach((box) => {
  const rows = [...at("table-" + box.dataset.filter).tBodies[0].rows];
  box.oninput = () => {
    const words = box.value.toLowerCase().split(/\s+/);
    rows.forEach((row) => { const text = row.textContent.toLowerCase(); row.hidden = !words.every((word) => text.includes(word)); });
  };
});
document.querySelectorAll("table").forEach(sortable);
document.querySelectorAll("[data-figure]").forEach((place) => chart(place.dataset.figure, place));
if (at("pick-instance")) {
  at("pick-instance").onchange = pickInstance;
  at("pick-run").onchange = pickRun;
  pickInstance();
} else if (data.runs.length) gantt(data.runs[0]);
dark.onchange = () => { drawn.forEach((figure, place) => draw(place, figure)); if (at("pick-instance")) pickRun(); };
