// What is searched from: a box over the first picture, by mouse, finger or keys, and buttons. A box is drawn, moved
// from its inside, and resized at its corners.
const SMALLEST = 0.04; // share of a side; less is a click, which takes the box away
const GRIP = 22; // pixels around a corner that hold it; fingers are wide
const clamp = (value) => Math.min(1, Math.max(0, value));
let held = null; // { area, kind: "new" | "move" | "corner", from, fixed, old, moved, unsent }
let waiting = null; // the timer of a box that was moved by keys and is not searched with yet

const place = (event, area) => {
  const frame = area.getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
};
const boxOf = (a, b) => [
  Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1]),
];
const boxIn = (area) => (area.dataset.box && area.dataset.box !== "null" ? JSON.parse(area.dataset.box) : null);
const draw = (area, box) => {
  const mark = area.querySelector(".box");
  mark.hidden = !box;
  area.dataset.box = JSON.stringify(box);
  if (!box) return;
  mark.style.left = `${box[0] * 100}%`;
  mark.style.top = `${box[1] * 100}%`;
  mark.style.width = `${(box[2] - box[0]) * 100}%`;
  mark.style.height = `${(box[3] - box[1]) * 100}%`;
};
const isBox = (box) => Boolean(box) && box[2] - box[0] >= SMALLEST && box[3] - box[1] >= SMALLEST;
const stopWaiting = () => {
  const was = waiting !== null;
  clearTimeout(waiting);
  waiting = null;
  return was;
};
const finish = (area, box) => {
  const was = area.classList.contains("boxed");
  area.classList.toggle("boxed", isBox(box)); // before Python has drawn it, so that it can be taken away at once
  if (isBox(box)) trigger("click", { action: "box", box });
  else if (was) trigger("click", { action: "whole" });
  else draw(area, null);
};

// What a pointer takes hold of: a corner (the opposite one stays), the inside, or nothing, which begins a new box.
const grip = (event, area) => {
  const old = boxIn(area), from = place(event, area);
  if (!old) return { kind: "new", fixed: from };
  const frame = area.getBoundingClientRect();
  const near = (x, y) => Math.hypot((from[0] - x) * frame.width, (from[1] - y) * frame.height) <= GRIP;
  for (const [x, y, toX, toY] of [[0, 1, 2, 3], [2, 1, 0, 3], [0, 3, 2, 1], [2, 3, 0, 1]]) {
    if (near(old[x], old[y])) return { kind: "corner", fixed: [old[toX], old[toY]], old };
  }
  const inside = from[0] > old[0] && from[0] < old[2] && from[1] > old[1] && from[1] < old[3];
  return inside ? { kind: "move", old } : { kind: "new", fixed: from };
};
const shifted = ([left, top, right, bottom], x, y) => {
  const dx = Math.min(1 - right, Math.max(-left, x)), dy = Math.min(1 - bottom, Math.max(-top, y));
  return [left + dx, top + dy, right + dx, bottom + dy];
};
const boxNow = (event) => {
  const to = place(event, held.area);
  return held.kind === "move" ? shifted(held.old, to[0] - held.from[0], to[1] - held.from[1]) : boxOf(held.fixed, to);
};

element.addEventListener("pointerdown", (event) => {
  const area = event.target.closest(".crop:not(.fixed)");
  if (!area || event.button > 0) return;
  event.preventDefault();
  area.focus();
  try { area.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone again */ }
  const unsent = stopWaiting();
  const spot = event.target.closest(".spot"); // a box may begin on a dot; a press that does not move is the dot's
  held = { area, spot, from: place(event, area), moved: false, unsent, ...grip(event, area) };
});
element.addEventListener("pointermove", (event) => {
  const area = event.target.closest(".crop:not(.fixed)");
  if (held) {
    const [x, y] = place(event, held.area);
    held.moved ||= Math.hypot(x - held.from[0], y - held.from[1]) > 0.01;
    if (held.moved) draw(held.area, boxNow(event));
  } else if (area) {
    area.style.cursor = { new: "crosshair", move: "move", corner: "nwse-resize" }[grip(event, area).kind];
  }
});
element.addEventListener("pointerup", (event) => {
  if (!held) return;
  if (held.moved) finish(held.area, boxNow(event));
  else if (held.spot) held.spot.click();
  else if (held.kind === "new") finish(held.area, null); // a click beside the box takes it away
  else if (held.unsent) finish(held.area, boxIn(held.area));
  held = null;
});
element.addEventListener("pointercancel", () => {
  if (held) draw(held.area, held.old ?? null);
  held = null;
});

element.addEventListener("keydown", (event) => {
  if (!event.target.matches(".crop")) return;
  const area = event.target, old = boxIn(area);
  const move = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] }[event.key];
  let box = null;
  if (event.key === "Enter" || event.key === " ") box = [0.25, 0.25, 0.75, 0.75];
  else if (move && old) {
    const [x, y] = move;
    box = event.shiftKey ? [old[0], old[1], clamp(old[2] + x), clamp(old[3] + y)] : shifted(old, x, y);
  } else if (event.key === "Escape" && old) {
    event.preventDefault();
    stopWaiting();
    trigger("click", { action: "whole" });
    return;
  } else return;
  event.preventDefault();
  if (!isBox(box)) return;
  draw(area, box);
  stopWaiting();
  waiting = setTimeout(() => {
    waiting = null;
    finish(area, box);
  }, 350);
});

element.addEventListener("click", (event) => {
  const spot = event.target.closest(".spot");
  if (spot) return trigger("click", { action: "box", box: JSON.parse(spot.dataset.region) });
  const button = event.target.closest("[data-action]");
  if (button?.dataset.action === "words") { // on a phone there is no room for the box until it is wanted
    element.closest(".side").classList.add("with-words");
    document.querySelector("#words :is(input, textarea)").focus();
  } else if (button) trigger("click", { action: button.dataset.action, index: Number(button.dataset.index || 0) });
});

// The picture is drawn anew after each change; whoever moves its box by keys goes on doing so.
let focused = false;
element.addEventListener("focusin", (event) => { focused = event.target.matches(".crop"); });
element.addEventListener("focusout", (event) => { if (event.relatedTarget) focused = false; });
watch("value", () => requestAnimationFrame(() => {
  if (focused && document.activeElement === document.body) element.querySelector(".crop")?.focus({ preventScroll: true });
}));
