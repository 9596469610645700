// The palette: which colour was added, changed or taken away. A colour picker tells its colour once it closes.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { add, remove, picture } = button.dataset;
  if (add) trigger("click", { action: "add", colour: add });
  else if (remove) trigger("click", { action: "remove", at: Number(remove) });
  else if (picture !== undefined) trigger("click", { action: "picture" });
});
element.addEventListener("change", (event) => {
  const { at } = event.target.dataset;
  const colour = event.target.value;
  trigger("click", at === undefined ? { action: "add", colour } : { action: "change", at: Number(at), colour });
});
