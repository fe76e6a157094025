// The Gantt chart. Rows are slots of servers; above them, a lane for what is on its way to the server or waits for it.
const INPUTS = -1, LEAST_PX = 2, ARROW_PX = 8;
let gantted = null;  // what is drawn: run, names, rows, the whole time and the part of it that is in view

function gantt(run) {
  if (!at("gantt") || !run) return;
  const facts = data.instances[run.instance];
  const names = facts.tasks.flatMap((t) => t.layers.map((l) => (facts.tasks.length > 1 ? [`${t.name} / ${l}`, l] : [l])));
  const slots = {};
  run.rows.forEach(([s, slot]) => { if (slot !== INPUTS) slots[s] = (slots[s] || 0) + 1; });
  let y = 0;
  const rows = run.rows.map(([s, slot]) => {
    const tall = slot === INPUTS ? 0.75 : 1, row = { s, slot, tall, y: y + tall / 2 };
    y += tall;
    return row;
  });
  const rowOf = Object.fromEntries(rows.map((row) => [`${row.s}/${row.slot}`, row]));
  const shown = run.servers.map((s, k) => k).filter((k) => `${run.servers[k]}/${run.slots[k]}` in rowOf);
  const last = Math.max(...shown.map((k) => run.end[k]), 1e-12);
  const near = run.deadlines.filter((d) => d[2] <= 2 * last).map((d) => d[2]);
  const whole = Math.max(last, ...near);
  gantted = { run, facts, names, slots, rows, rowOf, shown, height: y, whole: [-0.01 * whole, 1.02 * whole] };
  const due = run.deadlines.filter(([, k]) => `${run.servers[k]}/${run.slots[k]}` in rowOf);
  gantted.due = due;
  view(...gantted.whole);
  const waits = run.waits.some((k) => `${run.servers[k]}/${INPUTS}` in rowOf);
  const later = due.filter((d) => d[2] > whole).length;
  at("gantt-key").innerHTML = [
    "<span><b class=comes></b>in a row →: an input on its way, in the colour of the server that sends it</span>",
    "<span>arrows, where there is room: from there to who reads it</span>",
    waits ? "<span><b class=waits></b>waits for a slot</span>" : "",
    due.length ? "<span><b class=due></b>deadline, in the row where its task ends</span><span><b class='due late'></b>missed</span>" : "",
    later ? `<span>${later} deadline${later > 1 ? "s" : ""} after the end of the chart</span>` : "",
    serverKey(facts), run.folded ? `<span>${inHtml(run.folded)}</span>` : "",
    "<br>Bars are at least two pixels wide, so that none is lost; zoomed in, they have their true widths and names.",
  ].join("");
  memories(run);
}

// Draws the part of time from *from* to *to*.
function view(from, to) {
  const place = at("gantt"), g = gantted, [first, end] = g.whole;
  const span = Math.min(end - first, Math.max(to - from, 1e-6 * (end - first)));
  from = Math.min(Math.max(from, first), end - span);
  g.view = [from, from + span];
  paint();
  // How much room names left is known only now.
  if (Math.abs(room(place) - g.room) > 4) paint();
}

const room = (place) => (place._fullLayout ? place._fullLayout.xaxis._length : place.clientWidth - 130);

function paint() {
  const place = at("gantt"), g = gantted, { run, facts, names, rowOf } = g, [from, to] = g.view;
  g.room = room(place);
  const px = (to - from) / g.room, least = LEAST_PX * px, name = (s) => inPlotly(facts.servers[s].name);
  const row = (k, lane) => rowOf[`${run.servers[k]}/${lane}`];
  const within = (a, b) => b >= from && a <= to;
  const bar = (ks, starts, ends, lane, width, extra) => ({
    type: "bar", orientation: "h", base: ks.map((k) => starts[k]), x: ks.map((k) => Math.max(ends[k] - starts[k], least)),
    y: ks.map((k) => row(k, lane(k)).y), width, showlegend: false, hovertemplate: "%{hovertext}<extra></extra>", textposition: "none", ...extra,
  });
  const seconds = (s) => `${s.toPrecision(4) / 1} s`;
  const colours = (ks, servers) => ks.map((k) => facts.servers[servers[k]].colour);
  const runs = g.shown.filter((k) => within(run.start[k], run.end[k]));
  const coming = g.shown.filter((k) => run.ready[k] > run.sent[k] && row(k, INPUTS) && within(run.sent[k], run.ready[k]));
  const waiting = run.waits.filter((k) => row(k, INPUTS) && within(run.ready[k], run.start[k]));
  const wide = (k) => (Math.min(run.end[k], to) - Math.max(run.start[k], from)) / px;
  const fitting = (k) => names[k].find((each) => each.length <= 60 && 7 * each.length + 8 < wide(k)) || "";
  const full = (k) => inPlotly(names[k][0], 120);
  const traces = [
    bar(coming, run.sent, run.ready, () => INPUTS, 0.42, {
      marker: { color: colours(coming, run.senders), opacity: 0.85, line: { width: 0 } },
      hovertext: coming.map((k) => `${full(k)}<br>its last input comes from ${name(run.senders[k])} to ${name(run.servers[k])} for ${seconds(run.ready[k] - run.sent[k])}`),
    }),
    bar(waiting, run.ready, run.start, () => INPUTS, 0.66, {
      marker: { color: "rgba(0,0,0,0)", line: { color: ink("--soft"), width: 1 }, pattern: { shape: "/", fgcolor: ink("--soft"), size: 6 } },
      hovertext: waiting.map((k) => `${full(k)}<br>waits ${seconds(run.start[k] - run.ready[k])} for ${name(run.servers[k])}`),
    }),
    bar(runs, run.start, run.end, (k) => run.slots[k], 0.84, {
      // A line between bars only where it doesn't cover them.
      marker: { color: colours(runs, run.servers), line: { color: ink("--ground"), width: runs.map((k) => (wide(k) > 6 ? 1 : 0)) } },
      text: runs.map((k) => inPlotly(fitting(k))), textposition: "inside", insidetextanchor: "middle", textangle: 0, constraintext: "none",
      insidetextfont: { size: 11, color: runs.map((k) => on(facts.servers[run.servers[k]].colour)) },
      hovertext: runs.map((k) => `${full(k)}<br>runs ${seconds(run.end[k] - run.start[k])} on ${name(run.servers[k])}, from ${seconds(run.start[k])}`),
    }),
  ];
  // Arrows from who sends to who runs it, where they can still be told apart.
  const arrows = coming.filter((k) => run.senders[k] !== run.servers[k] && sender(k));
  if (arrows.length * ARROW_PX <= g.room) {
    traces.push({
      type: "scatter", mode: "lines+markers", hoverinfo: "skip", showlegend: false, line: { color: ink("--soft"), width: 1 }, opacity: 0.7,
      x: arrows.flatMap((k) => [run.sent[k], run.ready[k], null]), y: arrows.flatMap((k) => [sender(k).y, row(k, run.slots[k]).y, null]),
      marker: { symbol: "arrow", angleref: "previous", size: arrows.flatMap(() => [0, 8, 0]), color: ink("--soft"), line: { width: 0 }, opacity: 1 },
    });
  }
  for (const [late, colour] of [[false, ink("--ink")], [true, ink("--late")]]) {
    const these = g.due.filter((d) => d[3] === late && within(d[2], d[2]));
    if (these.length) traces.push({
      type: "scatter", mode: "markers", showlegend: false, x: these.map((d) => d[2]), y: these.map(([, k]) => row(k, run.slots[k]).y),
      marker: { symbol: "line-ns", size: 20, line: { width: 3, color: colour } }, hovertemplate: "%{text}<extra></extra>",
      text: these.map(([task, k, at_s]) => `deadline of ${inPlotly(facts.tasks[task].name)}: ${seconds(at_s)}, complete at ${seconds(run.end[k])}`),
    });
  }
  const label = ({ s, slot }) => {
    const text = narrow() ? inPlotly(facts.servers[s].name, 14) : name(s);
    return slot === INPUTS ? `→ ${text}` : g.slots[s] > 1 ? `${text} · ${slot + 1}` : text;
  };
  const bands = [...new Set(g.rows.map((each) => each.s))].filter((_, i) => i % 2 === 1).map((s) => {
    const mine = g.rows.filter((each) => each.s === s);
    return {
      type: "rect", xref: "paper", x0: 0, x1: 1, y0: mine[0].y - mine[0].tall / 2, y1: mine.at(-1).y + mine.at(-1).tall / 2,
      fillcolor: ink("--raised"), line: { width: 0 }, layer: "below",
    };
  });
  draw(place, {
    data: traces,
    layout: {
      barmode: "overlay", height: 90 + 21 * g.height, dragmode: false, shapes: bands, hovermode: "closest",
      xaxis: { title: { text: "seconds" }, range: g.view, zeroline: false, nticks: narrow() ? 5 : 10 },
      yaxis: { tickvals: g.rows.map((each) => each.y), ticktext: g.rows.map(label), range: [g.height, 0], showgrid: false, zeroline: false, fixedrange: true, automargin: true },
    },
  });

  function sender(k) {
    const source = run.sources[k], slot = source < 0 ? 0 : run.slots[source];
    return rowOf[`${run.senders[k]}/${slot}`];
  }
}

// Black or white, whichever is read better on a colour.
function on(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 125 ? "#111" : "#fff";
}

// Time is moved by dragging and stretched with the buttons, the wheel and Ctrl, or two fingers; the page scrolls as ever.
(() => {
  const place = at("gantt"), buttons = at("gantt-zoom");
  if (!place) return;
  const zoom = (factor, share = 0.5) => {
    const [from, to] = gantted.view, fixed = from + share * (to - from), span = (to - from) / factor;
    view(fixed - share * span, fixed + (1 - share) * span);
  };
  const move = (share) => { const [from, to] = gantted.view, by = share * (to - from); view(from + by, to + by); };
  const whole = () => view(...gantted.whole);
  const steps = [["−", "zoom out", () => zoom(0.5)], ["+", "zoom in", () => zoom(2)], ["◀", "earlier", () => move(-0.5)], ["▶", "later", () => move(0.5)], ["whole", "the whole time", whole]];
  steps.forEach(([text, told, act]) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", textContent: text, title: told, onclick: () => gantted && act() });
    button.setAttribute("aria-label", told);
    buttons.append(button);
  });
  const shareOf = (x) => (x - place.getBoundingClientRect().left - (place._fullLayout?._size.l ?? 0)) / room(place);
  place.addEventListener("wheel", (event) => {
    if (!gantted || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, shareOf(event.clientX));
  }, { passive: false });
  place.addEventListener("dblclick", () => gantted && whole());
  const fingers = new Map();
  let waiting = false;
  place.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event.clientX); });
  for (const over of ["pointerup", "pointercancel"]) addEventListener(over, (event) => fingers.delete(event.pointerId));
  addEventListener("pointermove", (event) => {
    if (!gantted || waiting || !fingers.has(event.pointerId)) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      if (!fingers.has(event.pointerId)) return;
      const before = fingers.get(event.pointerId), now = event.clientX;
      fingers.set(event.pointerId, now);
      if (fingers.size === 1) { move((before - now) / room(place)); return; }
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = Math.abs(now - other) / Math.max(1, Math.abs(before - other));
      if (Math.abs(now - other) > 10) zoom(apart, shareOf((now + other) / 2));
    });
  });
  addEventListener("resize", () => requestAnimationFrame(() => gantted && view(...gantted.view)));
})();
