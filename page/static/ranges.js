// Sliders with two ends: the line above each says from where to where, and a move that ends is told to Python.
const write = {
  integer: (value) => String(value),
  number: (value) => String(Number(value.toPrecision(6))),
  day: (value) => new Date(value * 1000).toISOString().slice(0, 10),
  minute: (value) => new Date(value * 1000).toISOString().slice(0, 16).replace("T", " "),
};
const ends = (range) => [".from", ".to"].map((end) => Number(range.querySelector(end).value));
const say = (range) => {
  const [low, high] = ends(range).map(write[range.dataset.unit]);
  range.querySelector("output").textContent = `${low} – ${high}`;
};
const sayAll = () => element.querySelectorAll(".range").forEach(say);

element.addEventListener("input", (event) => {
  const range = event.target.closest(".range");
  if (!range || event.target.type !== "range") return;
  const [low, high] = ends(range);
  if (low > high) event.target.value = event.target.matches(".from") ? high : low; // the handles never cross
  say(range);
});
const SETTLED = 250; // milliseconds; a key that is held moves a handle many times a second
const waiting = {};
element.addEventListener("change", (event) => {
  const range = event.target.closest(".range");
  if (!range) return;
  const field = range.dataset.field;
  clearTimeout(waiting[field]);
  waiting[field] = setTimeout(() => {
    const [low, high] = ends(range);
    const without = range.querySelector("[type=checkbox]")?.checked ?? false;
    trigger("click", { field, low, high, without });
  }, SETTLED);
});
watch("value", sayAll);
sayAll();
