// The larger view: a modal dialog outside of what Gradio re-renders, so that it keeps its focus. Inside of
// .contain, for the styles of narrow screens end there.
const dialog = document.createElement("dialog");
dialog.className = "viewer";
dialog.setAttribute("aria-label", "Larger view");
(element.closest(".contain") || document.body).appendChild(dialog);

// The address says which picture is open: see address.js.
let closedBy = "visitor";
const tell = (id) => document.dispatchEvent(new CustomEvent("simile:viewer", { detail: { id, by: closedBy } }));
const close = (by) => {
  if (!dialog.open) return;
  closedBy = by;
  dialog.close();
};
document.addEventListener("simile:close", () => close("history"));

const show = () => {
  const html = props.value || "";
  if (!html) {
    close("page");
    return;
  }
  const focused = dialog.contains(document.activeElement) ? document.activeElement.dataset.action : null;
  dialog.innerHTML = html; // made and escaped by page/components/hits.py
  if (!dialog.open) dialog.showModal();
  const same = focused && dialog.querySelector(`[data-action="${focused}"]:not([disabled])`);
  (same || dialog.querySelector(".close")).focus();
  tell(dialog.querySelector("[data-id]").dataset.id);
};
watch("value", show);

dialog.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (event.target === dialog || (button && button.dataset.action === "close")) close("visitor");
  else if (button) trigger("click", { action: button.dataset.action, point: button.dataset.point });
});
dialog.addEventListener("keydown", (event) => {
  const action = { ArrowRight: "next", ArrowLeft: "previous" }[event.key];
  if (action) trigger("click", { action });
});
dialog.addEventListener("close", () => {
  props.value = "";
  if (closedBy !== "history") tell("");
  closedBy = "visitor";
});
