// The first screen: which collection was chosen, or "Surprise me".
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-chosen]");
  if (button) trigger("click", { chosen: button.dataset.chosen });
});
