// Dots over the picture that is searched from, each for a part of it; query_box.js hears the tap.
const panel = document.getElementById(element.querySelector("[data-panel]")?.dataset.panel ?? "search-query");
const draw = () => {
  const area = panel?.querySelector(".crop:not(.boxed):not(.fixed)"), said = props.value ? JSON.parse(props.value) : null;
  if (!area || !said || area.querySelector(".spot") || area.querySelector("img").getAttribute("src") !== said.picture) return;
  area.append(...said.boxes.map((box, at) => {
    const spot = document.createElement("button");
    Object.assign(spot, { type: "button", className: "spot", title: "Search with this part" });
    spot.setAttribute("aria-label", `Search with part ${at + 1} of the picture`);
    spot.dataset.region = JSON.stringify(box);
    spot.style.left = `${((box[0] + box[2]) / 2) * 100}%`;
    spot.style.top = `${((box[1] + box[3]) / 2) * 100}%`;
    return spot;
  }));
};
watch("value", draw);
if (panel) new MutationObserver(draw).observe(panel, { subtree: true, childList: true });
