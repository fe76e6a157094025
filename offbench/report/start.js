// What the page does once all is there.
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
dark.onchange = () => { drawn.forEach((figure, place) => draw(place, figure)); if (gantted) paint(); };
