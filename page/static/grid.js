// A grid of pictures: one listener for all cards, and arrow keys between them.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button || !element.contains(button)) return;
  trigger("click", { action: button.dataset.action, index: Number(button.dataset.index) });
});
element.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !event.target.matches("button.open")) return;
  const all = [...element.querySelectorAll("button.open")];
  const next = all[all.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
// A list without a query goes on when its end comes near.
const more = () => document.querySelector("#more button, button#more");
const NEAR = 600; // pixels
let asked = 0;
addEventListener("scroll", () => {
  const list = element.querySelector("ul.endless"), button = more();
  const cards = list?.querySelectorAll(".card").length ?? 0;
  if (!list || !list.offsetParent || !button?.offsetParent || asked === cards) return;
  if (button.getBoundingClientRect().top > innerHeight + NEAR) return;
  asked = cards;
  button.click();
}, { passive: true });
