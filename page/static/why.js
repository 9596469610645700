// Paints the heat maps of the Why tab. Gradio's gr.HTML gives: element, trigger, watch.
const STOPS = [[0, [30, 10, 80, 0]], [0.25, [90, 20, 130, 90]], [0.5, [200, 50, 100, 150]], [0.75, [250, 130, 20, 190]], [1, [255, 235, 90, 215]]];

function ramp(value) {
  const after = STOPS.findIndex(([stop]) => stop >= value), [b, end] = STOPS[Math.max(after, 1)], [a, start] = STOPS[Math.max(after, 1) - 1];
  return start.map((v, i) => v + (end[i] - v) * ((value - a) / (b - a)));
}

function paint(canvas, { rows, columns }, values) {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  values.forEach((value, i) => image.data.set(ramp(Math.min(1, Math.max(0, value))), i * 4));
  context.putImageData(image, 0, 0);
}

function paintAll() {
  const why = element.querySelector(".why");
  if (!why) return;
  const heat = JSON.parse(why.dataset.heat);
  const canvases = { query: why.querySelector("canvas.query"), hit: why.querySelector("canvas.hit") };
  const whole = () => ["query", "hit"].forEach((side) => paint(canvases[side], heat[side], heat[side].values));
  const slider = why.querySelector("input[type=range]");
  const fade = () => why.style.setProperty("--heat", slider.value / 100);
  slider.oninput = fade;
  fade();
  whole();
  if (!heat.pairs) return;
  const pairs = Uint8Array.from(atob(heat.pairs), (c) => c.charCodeAt(0)), across = heat.hit.rows * heat.hit.columns;
  const matched = (side, place) => side === "query"
    ? Array.from(pairs.subarray(place * across, (place + 1) * across))
    : Array.from({ length: pairs.length / across }, (_, row) => pairs[row * across + place]);
  for (const [side, other] of [["query", "hit"], ["hit", "query"]]) {
    canvases[side].onpointermove = (event) => {
      const box = canvases[side].getBoundingClientRect(), { rows, columns } = heat[side];
      const column = Math.min(columns - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * columns)));
      const row = Math.min(rows - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * rows)));
      const values = matched(side, row * columns + column), top = Math.max(1, ...values);
      paint(canvases[other], heat[other], values.map((value) => value / top));
      paint(canvases[side], heat[side], heat[side].values.map((_, i) => (i === row * columns + column ? 1 : 0)));
    };
    canvases[side].onpointerleave = whole;
  }
}
element.addEventListener("click", (event) => {
  const chosen = event.target.closest(".among button");
  if (chosen) trigger("click", { index: Number(chosen.dataset.index) });
});
watch("value", paintAll);
paintAll();
