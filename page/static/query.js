// What is searched from: a box drawn over the first picture, by mouse, finger or keys; and buttons.
const SMALLEST = 0.04; // share of a side; less is a click, which takes the box away
const clamp = (value) => Math.min(1, Math.max(0, value));
let start = null;

const place = (event, area) => {
  const frame = area.getBoundingClientRect();
  return [clamp((event.clientX - frame.left) / frame.width), clamp((event.clientY - frame.top) / frame.height)];
};
const boxOf = (a, b) => [
  Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1]),
];
const draw = (area, box) => {
  const mark = area.querySelector(".box");
  mark.hidden = !box;
  if (!box) return;
  mark.style.left = `${box[0] * 100}%`;
  mark.style.top = `${box[1] * 100}%`;
  mark.style.width = `${(box[2] - box[0]) * 100}%`;
  mark.style.height = `${(box[3] - box[1]) * 100}%`;
  area.dataset.box = JSON.stringify(box);
};
const isBox = (box) => box[2] - box[0] >= SMALLEST && box[3] - box[1] >= SMALLEST;
const finish = (area, box) => {
  if (isBox(box)) trigger("click", { action: "box", box });
  else if (area.classList.contains("boxed")) trigger("click", { action: "whole" });
  else draw(area, null);
};

element.addEventListener("pointerdown", (event) => {
  const area = event.target.closest(".crop");
  if (!area || event.button > 0) return;
  event.preventDefault();
  area.focus();
  try { area.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone again */ }
  start = place(event, area);
});
element.addEventListener("pointermove", (event) => {
  const area = event.target.closest(".crop");
  if (start && area) draw(area, boxOf(start, place(event, area)));
});
element.addEventListener("pointerup", (event) => {
  const area = event.target.closest(".crop");
  if (start && area) finish(area, boxOf(start, place(event, area)));
  start = null;
});
element.addEventListener("pointercancel", () => { start = null; });

let waiting = null;
element.addEventListener("keydown", (event) => {
  if (!event.target.matches(".crop")) return;
  const area = event.target;
  const old = area.dataset.box && area.dataset.box !== "null" ? JSON.parse(area.dataset.box) : null;
  const move = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] }[event.key];
  let box = null;
  if (event.key === "Enter" || event.key === " ") box = [0.25, 0.25, 0.75, 0.75];
  else if (move && old) {
    const [x, y] = move;
    box = event.shiftKey
      ? [old[0], old[1], clamp(old[2] + x), clamp(old[3] + y)]
      : [old[0] + x, old[1] + y, old[2] + x, old[3] + y];
    if (Math.min(...box) < 0 || Math.max(...box) > 1) box = old;
  } else if (event.key === "Escape" && old) {
    event.preventDefault();
    trigger("click", { action: "whole" });
    return;
  } else return;
  event.preventDefault();
  if (!isBox(box)) return;
  draw(area, box);
  clearTimeout(waiting);
  waiting = setTimeout(() => finish(area, box), 350);
});

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) trigger("click", { action: button.dataset.action, index: Number(button.dataset.index || 0) });
});

// A picture pasted or dropped anywhere comes in where the panel of the open tab takes pictures.
const panel = element.closest("[id$='-query']");
const input = () => document.querySelector(`#${panel.id.replace("-query", "-drop")} input[type=file]`);
const give = (file) => {
  const data = new DataTransfer();
  data.items.add(file);
  input().files = data.files;
  input().dispatchEvent(new Event("change", { bubbles: true }));
};
const receive = (event, files) => {
  const file = [...(files || [])].find((one) => one.type.startsWith("image/"));
  if (!file || !panel.closest(".tabitem")?.offsetParent || event.defaultPrevented) return;
  event.preventDefault();
  if (input()) return give(file);
  trigger("click", { action: "clear" }); // the place for pictures is hidden while there is one
  const began = Date.now();
  const wait = setInterval(() => {
    if (input()) give(file);
    if (input() || Date.now() - began > 10_000) clearInterval(wait);
  }, 50);
};
// Text and addresses are not opened, which is said; a field for words takes them as ever.
const refuse = (event, data) => {
  if (event.defaultPrevented || data?.files.length || !data?.types.some((one) => one.startsWith("text/"))) return;
  if (event.target.closest?.("input, textarea, [contenteditable]") || !panel.closest(".tabitem")?.offsetParent) return;
  event.preventDefault();
  trigger("click", { action: "address" });
};
document.addEventListener("paste", (event) => {
  receive(event, event.clipboardData?.files);
  refuse(event, event.clipboardData);
});
document.addEventListener("dragover", (event) => {
  if (!event.target.closest?.("input, textarea")) event.preventDefault(); // else the browser leaves the page
});
document.addEventListener("drop", (event) => {
  receive(event, event.dataTransfer?.files);
  refuse(event, event.dataTransfer);
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); // on any tab, and whatever it is
});
