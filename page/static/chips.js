// Active filters: which chip was taken off.
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-at]");
  if (button) trigger("click", { at: button.dataset.at });
});
