// Names on the map: where one label is dense and among its like, its name stands.
const SQUARES = 28; // of the map's side; a name needs no finer place
const LEAST_SHARE = 0.3, LEAST_OF_A_SQUARE = 3; // of the pictures around it that have the label; pictures
const MOST_NAMES = 14;

// Values of a square and of those around it, weighted by nearness.
function blurred(values) {
  const out = new Float32Array(values.length);
  for (let row = 0; row < SQUARES; row++) for (let column = 0; column < SQUARES; column++) {
    let sum = 0;
    for (let y = Math.max(0, row - 2); y <= Math.min(SQUARES - 1, row + 2); y++) {
      for (let x = Math.max(0, column - 2); x <= Math.min(SQUARES - 1, column + 2); x++) {
        sum += values[y * SQUARES + x] / (1 + (x - column) ** 2 + (y - row) ** 2);
      }
    }
    out[row * SQUARES + column] = sum;
  }
  return out;
}

// [{ value, x, y, weight }] in map coordinates, the heaviest first; `labels` holds each point's value.
function namePlaces({ n, x, y }, labels, names) {
  const square = (v) => Math.min(SQUARES - 1, Math.max(0, Math.floor(((v + 1) / 2) * SQUARES)));
  const at = Int32Array.from({ length: n }, (_, i) => square(y[i]) * SQUARES + square(x[i]));
  const all = new Float32Array(SQUARES * SQUARES), own = names.map(() => null), counts = new Float32Array(names.length);
  for (let i = 0; i < n; i++) {
    all[at[i]] += 1;
    counts[labels[i]] += 1;
    (own[labels[i]] ??= new Float32Array(SQUARES * SQUARES))[at[i]] += 1;
  }
  const around = blurred(all);
  const found = [];
  own.forEach((values, value) => {
    if (!values || !names[value]) return;
    const dense = blurred(values), usual = counts[value] / n;
    let best = -1, weight = 0;
    for (let i = 0; i < dense.length; i++) {
      const share = dense[i] / around[i];
      if (dense[i] < LEAST_OF_A_SQUARE || share < Math.max(LEAST_SHARE, Math.min(0.6, usual * 1.5))) continue;
      if (dense[i] * share > weight) [best, weight] = [i, dense[i] * share];
    }
    if (best < 0) return;
    const middle = (i) => ((i + 0.5) / SQUARES) * 2 - 1;
    found.push({ value, x: middle(best % SQUARES), y: middle(Math.floor(best / SQUARES)), weight });
  });
  return found.sort((a, b) => b.weight - a.weight).slice(0, MOST_NAMES);
}

// Writes the names where they do not lie over one another; `ink` and `ground` are CSS colours.
function drawNames(context, places, names, across, down, ink, ground) {
  const taken = [];
  context.font = "600 14px system-ui, sans-serif";
  context.textAlign = "center";
  for (const { value, x, y } of places) {
    const left = across(x), top = down(y), wide = context.measureText(names[value]).width + 14;
    const box = [left - wide / 2, top - 12, left + wide / 2, top + 12];
    if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
    taken.push(box);
    context.globalAlpha = 0.82;
    context.fillStyle = ground;
    context.beginPath();
    context.roundRect(box[0], box[1], wide, 24, 12);
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = ink;
    context.fillText(names[value], left, top + 5);
  }
  context.textAlign = "start";
  return taken.length;
}
