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
