// The map in the browser. Gradio's gr.HTML gives: element, trigger, props, watch.
const $ = (selector) => element.querySelector(selector);
const [stage, dots, overlay, tip, legend, lost] = [".stage", ".dots", ".overlay", ".tip", ".legend", ".lost"].map($);
// Petroff, "Accessible color sequences for data visualization" (2021): told apart with any colour vision
const PALETTE = ["#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"];
const OTHERS = "#8f8f8f";
const PICTURES_FROM = 1.8; // zoom at which dots turn into pictures
const PICTURES_UP_TO = 20000; // points of a map that opens with its pictures
const FAINT = 0.14; // opacity of what does not have the chosen label
const MOST_PICTURES = 900, MOST_SHEETS = 8; // drawn in one frame, fetched for one view
// wide: pixels that a unit of the map takes when all of it is seen; before that no zoom counts as close
const state = { facts: null, plot: null, field: 0, only: null, always: false, lasso: false, sheets: [], wide: Infinity, places: [], drawn: new Set() };

function axis() {
  let domain = [-1, 1], range = [0, 1];
  const scale = (v) => range[0] + ((v - domain[0]) / (domain[1] - domain[0])) * (range[1] - range[0]);
  scale.domain = (d) => (d === undefined ? domain : ((domain = d), scale));
  scale.range = (r) => (r === undefined ? range : ((range = r), scale));
  return scale;
}
const across = axis(), down = axis();

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

async function library(path) {
  if (!window.reglScatterplot) {
    const text = await (await fetched(path)).text();
    window.reglScatterplot = new Function(`${text}; return reglScatterplot;`)();
  }
  return window.reglScatterplot;
}

// --- what comes from the server: see map_files.py for the layout

function unpack(buffer) {
  const [n, samples, fields] = new Uint32Array(buffer, 0, 3);
  let at = 12;
  const take = (Kind, length) => {
    const part = new Kind(buffer, at, length);
    at += part.byteLength;
    return part;
  };
  const tiles = take(Int32Array, n), sample = take(Int32Array, samples);
  const place = (part) => Float32Array.from(part, (v) => (v / 65535) * 2 - 1);
  const x = place(take(Uint16Array, n)), y = place(take(Uint16Array, n));
  const labels = Array.from({ length: fields }, () => take(Uint16Array, n));
  return { n, tiles, sample, x, y, labels };
}

function sheet(number) {
  const kept = state.sheets[number];
  if (kept) return kept.ready ? kept.image : null;
  const image = new Image();
  state.sheets[number] = { image, ready: false };
  image.onload = () => { state.sheets[number].ready = true; later(); };
  image.src = state.facts.sheets[number];
  return null;
}

function thumbnail(point, context, x, y, side) {
  const { facts, data } = state, tile = data.tiles[point], each = facts.columns * facts.columns;
  const place = facts.sampled.get(point);
  const own = tile >= 0 ? sheet(1 + Math.floor(tile / each)) : null;
  const image = own ?? (place === undefined ? null : sheet(0));
  if (!image) return false;
  const at = own ? tile % each : place;
  const [left, top] = [(at % facts.columns) * facts.side, Math.floor(at / facts.columns) * facts.side];
  context.drawImage(image, left, top, facts.side, facts.side, x - side / 2, y - side / 2, side, side);
  return true;
}

// --- drawing

let waiting = 0;
function later() {
  if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; drawOverlay(); });
}

function colour(point) {
  const { facts, data, field } = state;
  if (!facts.fields.length) return PALETTE[0];
  return swatch(data.labels[field][point], facts.fields[field].names.length);
}

function swatch(value, count) {
  return value < PALETTE.length - (count > PALETTE.length ? 1 : 0) ? PALETTE[value] : OTHERS;
}

function drawOverlay() {
  const { width, height } = stage.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  if (!state.plot || !width) return;
  if (overlay.width !== Math.round(width * ratio)) overlay.width = Math.round(width * ratio);
  if (overlay.height !== Math.round(height * ratio)) overlay.height = Math.round(height * ratio);
  const context = overlay.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  if (!state.clean) context.clearRect(0, 0, width, height);
  const unit = across(1) - across(0), zoom = unit / state.wide;
  const begun = performance.now();
  state.drawn.clear();
  state.shown = state.always || zoom >= PICTURES_FROM ? drawPictures(context, width, height, unit, zoom) : 0;
  const { color: ink, backgroundColor: ground } = getComputedStyle(stage);
  const names = state.facts.fields[state.field]?.names ?? [];
  drawHits(context, ink, ground);
  state.named = drawNames(context, state.only === null ? state.places : [], names, across, down, ink, ground);
  drawMarker(context);
  state.clean = !state.shown && !state.named && !state.facts.marker && !state.facts.hits?.length; // what is not touched need not be put on the screen again
  lost.hidden = !isEmpty();
  state.took = performance.now() - begun;
}

function drawPictures(context, width, height, unit, zoom) {
  const { data, facts, only } = state;
  const side = Math.min(facts.side > 40 ? 76 : 48, 26 + 9 * Math.log2(Math.max(1, zoom) + 1)), cell = (side + 3) / unit;
  state.side = side;
  const seen = [], wanted = new Set(), each = facts.columns * facts.columns;
  for (let i = 0; i < data.n; i++) {
    const x = across(data.x[i]), y = down(data.y[i]);
    if (x < -side || y < -side || x > width + side || y > height + side) continue;
    seen.push(i);
    if (data.tiles[i] >= 0) wanted.add(1 + Math.floor(data.tiles[i] / each));
  }
  if (wanted.size <= MOST_SHEETS) wanted.forEach(sheet);
  sheet(0);
  const local = wanted.size <= MOST_SHEETS;
  const known = seen.filter((i) => facts.sampled.has(i)), marked = new Set(facts.hits);
  const everyone = local ? [...known, ...seen] : known;
  const isChosen = (i) => only === null || data.labels[state.field][i] === only;
  const first = [...(local ? seen : known).filter((i) => marked.has(i)), ...(only === null ? [] : everyone.filter(isChosen))];
  const order = [...first, ...everyone];
  const taken = new Set();
  for (const i of order) {
    // cells of the map, not of the screen: pictures stay where they are while the map is moved
    const key = Math.floor(data.x[i] / cell) * 65536 + Math.floor(data.y[i] / cell);
    if (taken.has(key) || taken.size >= MOST_PICTURES) continue;
    const x = across(data.x[i]), y = down(data.y[i]);
    context.globalAlpha = isChosen(i) ? 1 : FAINT;
    if (!thumbnail(i, context, x, y, side)) continue;
    taken.add(key);
    state.drawn.add(i);
    context.strokeStyle = colour(i);
    context.lineWidth = 2;
    context.strokeRect(x - side / 2, y - side / 2, side, side);
  }
  context.globalAlpha = 1;
  return taken.size;
}

function isEmpty() { // between the dots, or beside them: a visitor needs a way back
  const { data } = state;
  const [left, right] = across.domain(), [bottom, top] = down.domain();
  for (let i = 0; i < data.n; i++) {
    if (data.x[i] >= left && data.x[i] <= right && data.y[i] >= bottom && data.y[i] <= top) return false;
  }
  return true;
}

function drawHits(context, ink, ground) { // a ring around each hit of the last search, or a frame around its picture
  for (const point of state.facts.hits ?? []) {
    const half = state.drawn.has(point) ? state.side / 2 + 2 : 0, radius = state.shown ? 5 : 9;
    const x = across(state.data.x[point]), y = down(state.data.y[point]);
    for (const [style, width] of [[ground, 6], [ink, 3]]) {
      context.strokeStyle = style;
      context.lineWidth = width;
      context.beginPath();
      if (half) context.rect(x - half, y - half, 2 * half, 2 * half);
      else context.arc(x, y, radius, 0, 7);
      context.stroke();
    }
  }
}

function drawMarker(context) {
  const marker = state.facts.marker;
  if (!marker) return;
  const x = across(marker[0]), y = down(marker[1]);
  const { color: ink, backgroundColor: halo } = getComputedStyle(stage);
  for (const [style, width] of [[halo, 6], [ink, 3]]) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, 11, 0, 7);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * 7, y + dy * 7);
      context.lineTo(x + dx * 18, y + dy * 18);
    }
    context.stroke();
  }
  context.font = "600 13px system-ui, sans-serif";
  context.lineWidth = 4;
  context.strokeStyle = halo;
  const left = x > stage.clientWidth - 120 ? x - 106 : x + 20;
  context.strokeText("your query", left, y - 8);
  context.fillStyle = ink;
  context.fillText("your query", left, y - 8);
}

function background() {
  const found = getComputedStyle(stage).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255];
  return [...found.slice(0, 3).map((v) => v / 255), 1];
}

function drawDots() {
  const { data, facts, field, only, plot } = state;
  if (!plot) return Promise.resolve(); // without WebGL there is the list of labels
  const names = facts.fields[field]?.names ?? [];
  // The dots of another label than the chosen one turn faint; they stay, and can still be pointed at.
  const kind = only === null ? (v) => Math.min(v, PALETTE.length - 1) : (v) => (v === only ? 1 : 0);
  const z = names.length ? Float32Array.from(data.labels[field], kind) : new Float32Array(data.n);
  const colours = PALETTE.map((c, i) => (i < Math.max(1, names.length) ? swatch(i, names.length) : c));
  if (only !== null) colours.splice(0, 2, faint(), swatch(only, names.length));
  // the colour after the last is what values in between would take; a spare one keeps all as they are
  plot.set({ colorBy: "valueA", pointColor: colours });
  return plot.draw({ x: data.x, y: data.y, valueA: z }, { zDataType: "categorical" });
}

function faint() { // the ground with a little grey, as #rrggbb
  const grey = [143, 143, 143], ground = background();
  return `#${grey.map((v, i) => Math.round(v * 0.3 + ground[i] * 255 * 0.7).toString(16).padStart(2, "0")).join("")}`;
}

function findNames() {
  const { data, facts, field } = state, names = facts.fields[field]?.names ?? [];
  state.places = names.length > 1 ? namePlaces(data, data.labels[field], names) : [];
}

// --- what is beside the map

function button(text, pressed, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", act);
  return made;
}

function drawLegend() {
  const { facts, field } = state;
  const chooser = $(".colour-by");
  chooser.replaceChildren(...facts.fields.map((of, i) => button(of.title, i === field, () => {
    state.field = i;
    state.only = null;
    findNames();
    drawLegend();
    drawDots().then(later);
  })));
  chooser.hidden = facts.fields.length < 2;
  const of = facts.fields[field];
  legend.replaceChildren(...(of ? of.names : []).map((name, value) => {
    const made = button(name, state.only === value, () => {
      state.only = state.only === value ? null : value;
      drawLegend();
      drawDots().then(later);
      trigger("group", { key: facts.key, field: of.name, value: state.only });
    });
    made.style.setProperty("--swatch", swatch(value, of.names.length));
    const count = document.createElement("span");
    count.textContent = of.counts[value].toLocaleString("en");
    made.append(count);
    return made;
  }));
}

function preview(point) {
  const { facts, data } = state;
  if (point === null) return (tip.hidden = true);
  const x = across(data.x[point]), y = down(data.y[point]), side = 96, ratio = window.devicePixelRatio || 1;
  const canvas = tip.querySelector("canvas");
  canvas.width = canvas.height = side * ratio;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.scale(ratio, ratio);
  if (!thumbnail(point, context, side / 2, side / 2, side)) setTimeout(() => tip.point === point && preview(point), 120);
  tip.point = point;
  tip.querySelector("p").textContent = facts.fields.map((of, i) => of.names[data.labels[i][point]]).join(" · ");
  tip.hidden = false;
  const { width, height } = stage.getBoundingClientRect();
  tip.style.left = `${Math.min(Math.max(4, x + 14), width - 190)}px`;
  tip.style.top = `${Math.min(Math.max(4, y + 14), height - 150)}px`;
}

function say(text, command) {
  const note = $(".notice");
  note.replaceChildren();
  note.hidden = !text;
  if (!text) return;
  const line = document.createElement("p");
  line.textContent = text;
  note.append(line);
  if (command) {
    const code = document.createElement("code");
    code.textContent = command;
    note.append(code);
  }
}

// --- moving about

function moveTo(x, y, factor) {
  const [left, right] = across.domain(), [bottom, top] = down.domain();
  const width = (right - left) * factor, height = (top - bottom) * factor;
  const middle = [(left + right) / 2 + x * (right - left), (bottom + top) / 2 + y * (top - bottom)];
  const area = { x: middle[0] - width / 2, y: middle[1] - height / 2, width, height };
  return state.plot.zoomToArea(area, { transition: false });
}

const KEYS = {
  ArrowLeft: [-0.15, 0, 1], ArrowRight: [0.15, 0, 1], ArrowUp: [0, 0.15, 1], ArrowDown: [0, -0.15, 1],
  "+": [0, 0, 1 / 1.4], "=": [0, 0, 1 / 1.4], "-": [0, 0, 1.4],
};
stage.addEventListener("keydown", (event) => {
  if (!state.plot || !KEYS[event.key]) return;
  event.preventDefault();
  moveTo(...KEYS[event.key]);
});

function whole() {
  const margin = 0.06; // of the map: dots at its edge stay whole
  const [left, width, bottom, height] = [state.data.x, state.data.y].flatMap((values) => {
    const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    return [low - margin, high - low + 2 * margin];
  });
  return state.plot.zoomToArea({ x: left, y: bottom, width, height }, { transition: false });
}

function setLasso(on) {
  state.lasso = on;
  $(".lasso").setAttribute("aria-pressed", on);
  state.plot?.set({ mouseMode: on ? "lasso" : "panZoom" });
}
$(".lasso").addEventListener("click", () => setLasso(!state.lasso));
function setAlways(on) {
  state.always = on;
  $(".always").setAttribute("aria-pressed", on);
}
$(".always").addEventListener("click", () => {
  setAlways(!state.always);
  later();
});
$(".closer").addEventListener("click", () => state.plot && moveTo(0, 0, 1 / 1.6));
$(".farther").addEventListener("click", () => state.plot && moveTo(0, 0, 1.6));
for (const one of [$(".whole"), lost]) one.addEventListener("click", () => state.plot && whole());

// Fingers: the library knows the mouse only. One finger is its left button, two are its wheel.
let spread = null, touched = false;
const finger = (type, touch, target) =>
  target.dispatchEvent(new MouseEvent(type, { bubbles: true, clientX: touch.clientX, clientY: touch.clientY, buttons: 1 }));
const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
dots.addEventListener("touchstart", (event) => {
  touched = true;
  event.preventDefault();
  if (event.touches.length === 1) {
    finger("mouseenter", event.touches[0], dots);
    finger("mousemove", event.touches[0], window);
    finger("mousedown", event.touches[0], dots);
  } else {
    finger("mouseup", event.touches[0], window);
    spread = apart(event.touches);
  }
}, { passive: false });
dots.addEventListener("touchmove", (event) => {
  event.preventDefault();
  if (event.touches.length === 1 && spread === null) return finger("mousemove", event.touches[0], window);
  if (event.touches.length !== 2 || spread === null) return;
  const now = apart(event.touches), [a, b] = event.touches;
  const at = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
  dots.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: (spread - now) * 3, bubbles: true, cancelable: true }));
  spread = now;
}, { passive: false });
dots.addEventListener("touchend", (event) => {
  event.preventDefault();
  if (event.touches.length) return;
  const last = event.changedTouches[0];
  if (spread === null) {
    finger("mouseup", last, window);
    finger("click", last, dots);
  }
  spread = null;
}, { passive: false });

// --- from a point to a search

function pick(point) {
  tip.hidden = true;
  trigger("pick", { key: state.facts.key, index: point });
}
tip.addEventListener("click", () => pick(tip.point));

function selected({ points }) {
  state.plot.deselect({ preventEvent: true });
  if (state.lassoing) return trigger("lasso", { key: state.facts.key, indexes: points.slice(0, 5000), count: points.length });
  if (points.length !== 1) return;
  if (touched && tip.point !== points[0]) return preview(points[0]); // a finger does not hover: look first
  pick(points[0]);
}

function fewest(fields) { // labels, but more than one: those the palette tells apart
  const size = (of) => (of.names.length > 1 ? of.names.length : Infinity);
  return fields.reduce((best, of, i) => (size(of) < size(fields[best]) ? i : best), 0);
}

// The library's own renderer is as large as the window, smooths edges, and draws by way of a second picture
// of floats to correct brightness. Dots need none of it, and where the processor draws WebGL it is most of
// the time of a frame.
function surface({ createRenderer }, width, height) {
  const canvas = document.createElement("canvas");
  canvas.getContext("webgl", { antialias: false, preserveDrawingBuffer: true });
  const renderer = createRenderer({ canvas });
  renderer.resize(width, height);
  renderer.render = (draw, target) => {
    renderer.regl.clear({ color: [0, 0, 0, 0], depth: 1 });
    draw();
    const { width, height } = target, context = target.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.drawImage(canvas, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height, 0, 0, width, height);
  };
  return renderer;
}

async function start(facts) {
  const made = await library(facts.script);
  const { width, height } = stage.getBoundingClientRect();
  const many = facts.points > 20000;
  state.renderer ??= surface(made, width, height);
  const plot = made.createScatterplot({
    renderer: state.renderer,
    canvas: dots, width, height, xScale: across, yScale: down, backgroundColor: background(),
    pointSize: many ? 2.5 : facts.points > 2000 ? 4 : 7,
    performanceMode: many, // plain squares: at this size nobody sees the difference
    opacity: many ? 1 : 0.85, // they are not blended: less than 1 would make their colours lighter than the legend's
    pointColorActive: "#111111", pointColorHover: "#111111", lassoColor: "#1b776a", lassoOnLongPress: false,
  });
  plot.subscribe("view", later);
  plot.subscribe("pointover", (point) => !touched && preview(point));
  plot.subscribe("pointout", () => !touched && preview(null));
  plot.subscribe("lassoStart", () => { state.lassoing = true; });
  plot.subscribe("lassoEnd", () => { state.lassoing = false; setLasso(false); });
  plot.subscribe("select", selected);
  return plot;
}

const NO_WEBGL = "The map cannot be drawn here: it needs WebGL. The list of labels leads to the same pictures.";
let turn = 0;
async function show() {
  const facts = JSON.parse(props.value || "null"), mine = ++turn;
  if (!facts) return;
  say(facts.notice, facts.command);
  $(".map").hidden = !facts.data;
  if (!facts.data) return;
  if (state.facts?.key === facts.key) {
    Object.assign(state.facts, { marker: facts.marker, hits: facts.hits });
    return state.plot ? later() : say(NO_WEBGL);
  }
  try {
    const data = unpack(await (await fetched(facts.data)).arrayBuffer());
    if (mine !== turn) return;
    facts.sampled = new Map(Array.from(data.sample, (point, place) => [point, place]));
    Object.assign(state, { facts, data, field: fewest(facts.fields), only: null, sheets: [], wide: Infinity });
    state.plot?.destroy();
    state.plot = null;
    setAlways(facts.points <= PICTURES_UP_TO);
    findNames();
    drawLegend();
    state.plot = await start(facts);
    await drawDots();
    await whole();
    state.wide = across(1) - across(0);
    later();
    stage.dataset.points = data.n;
  } catch (error) {
    console.error(error);
    say(NO_WEBGL);
  }
}

new ResizeObserver(() => {
  const { width, height } = stage.getBoundingClientRect();
  if (!width) return;
  state.renderer?.resize(width, height);
  state.plot?.set({ width, height });
  later();
}).observe(stage);
new MutationObserver(() => {
  state.plot?.set({ backgroundColor: background() });
  if (state.plot) drawDots().then(later);
}).observe(document.body, { attributeFilter: ["class"] });
stage.simile = { state, across, down };
watch("value", show);
show();
