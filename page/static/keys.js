// Keys for the whole page: arrows in the row of tabs, a way out of an open list, and a link past the controls.
const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")].filter((one) => one.offsetParent);
const rove = () => { // one stop for the whole row
  for (const tab of document.querySelectorAll("#tabs [role=tab]")) {
    const stop = tab.getAttribute("aria-selected") === "true" ? "0" : "-1";
    if (tab.getAttribute("tabindex") !== stop) tab.setAttribute("tabindex", stop);
  }
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches?.("#tabs [role=tab]")) {
    const all = tabs(), at = all.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = all[(to + all.length) % all.length];
    next.focus();
    next.click();
  }
}, true);
new MutationObserver(rove).observe(document.body, { subtree: true, childList: true, attributeFilter: ["aria-selected"] });
rove();

// A box to choose from takes every key for the beginning of a search in its list, and opens that after Tab has led on.
document.addEventListener("keydown", (event) => {
  if (["Tab", "Shift"].includes(event.key) && event.target.matches?.(".secondary-wrap input, .wrap-inner input")) {
    event.stopImmediatePropagation();
  }
}, true);

element.addEventListener("click", (event) => {
  const link = event.target.closest("a.skip");
  if (!link) return;
  event.preventDefault(); // the part behind # is no view of the page
  const open = [...document.querySelectorAll(".tabitem")].find((one) => one.offsetParent);
  const to = open?.querySelector("[data-skip-to], [id$=status], .grid-host, .stage, #collections") ?? open;
  if (!to) return;
  to.tabIndex = -1;
  to.focus();
});
