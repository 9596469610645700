// A selection of hits: a check on each picture of the search, shift for a range, and what is done with them.
// The checks are put into the grid here, so that a card is the same wherever it is shown.
const HITS = "search-hits";
const chosen = new Set(); // keys of cards, see keyOf
let last = null; // index of the card that was checked last
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const cards = () => [...(document.getElementById(HITS)?.querySelectorAll("li.card") ?? [])];
const keyOf = (card) => `${indexOf(card)} ${card.querySelector("img")?.getAttribute("src")}`;
const indexOf = (card) => Number(card.querySelector("[data-index]")?.dataset.index);

function withCheck(card) {
  let check = card.querySelector("button.check");
  if (check) return check;
  check = document.createElement("button");
  check.type = "button";
  check.tabIndex = -1; // a hit is one stop; its menu selects it
  check.className = "check";
  check.setAttribute("aria-label", `Select ${card.querySelector(".open")?.getAttribute("aria-label") ?? ""}`);
  card.querySelector(".frame")?.append(check);
  return check;
}

function show() {
  const bar = part("bar");
  if (!bar) return;
  const there = cards(), keys = new Set(there.map(keyOf));
  for (const key of chosen) if (!keys.has(key)) chosen.delete(key);
  for (const card of there) withCheck(card).setAttribute("aria-pressed", String(chosen.has(keyOf(card))));
  bar.hidden = there.length === 0;
  part("some").hidden = chosen.size === 0;
  part("count").textContent = chosen.size ? `${chosen.size} selected` : "";
  document.getElementById(HITS)?.classList.toggle("selecting", chosen.size > 0);
}

function choose(card, range) {
  const there = cards(), at = there.indexOf(card), on = !chosen.has(keyOf(card));
  const from = range && last !== null && last < there.length ? last : at;
  for (const one of there.slice(Math.min(from, at), Math.max(from, at) + 1)) {
    if (on) chosen.add(keyOf(one)); else chosen.delete(keyOf(one));
  }
  last = at;
  show();
}

document.addEventListener("click", (event) => {
  const check = event.target.closest?.(`#${HITS} button.check`);
  if (!check) return;
  event.stopPropagation();
  choose(check.closest("li.card"), event.shiftKey);
}, true);

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (!button) return;
  const what = button.dataset.do;
  if (what === "all") for (const card of cards()) chosen.add(keyOf(card));
  if (what === "none") chosen.clear();
  if (what === "all" || what === "none") return show();
  const indexes = cards().filter((card) => chosen.has(keyOf(card))).map(indexOf);
  const many = indexes.length === 1 ? "this picture" : `these ${indexes.length} pictures`;
  if (what === "delete" && !confirm(`Delete ${many}? They stay out when the source is indexed again.`)) return;
  trigger("click", { action: what, indexes, tag: part("tag")?.value ?? "" });
});

new MutationObserver(show).observe(document.getElementById(HITS) ?? document.body, { childList: true, subtree: true });
show();
