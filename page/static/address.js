// The page's address holds what decides what is seen: a search's own part comes from Python, the open tab and the
// picture in the larger view from here. Back and forward tell Python where the visitor went.
const FOREIGN = ["__theme", "view"]; // Gradio's own
const NEW_SEARCH = ["from", "unlike", "words"];
const PATIENCE = 10_000; // milliseconds
const SOON = 1500; // milliseconds; within them a tab that the page itself opens belongs to the search that follows
let link = null; // the last part from Python; null until the page has arrived
let tab = "", opened = "";
let arriving = 0; // until when the answer to back or forward is waited for; nothing is written meanwhile
let settling = 0; // until when what follows an arrival makes no entry of the history
let waiting = null;

const now = () => new URLSearchParams(location.search);
let seen = now();
history.scrollRestoration = "manual";

const composed = () => {
  const next = new URLSearchParams(link);
  if (tab && tab !== "search") next.set("tab", tab);
  if (opened) next.set("open", opened);
  for (const name of FOREIGN) if (now().has(name)) next.set(name, now().get(name));
  return next;
};
const write = (how) => {
  if (link === null || Date.now() < arriving) return;
  clearTimeout(waiting);
  const next = composed();
  if (next.toString() === now().toString()) return;
  const text = next.toString().replaceAll("%2C", ",").replaceAll("%7E", "~").replaceAll("%2F", "/");
  const address = `${location.pathname}${text ? `?${text}` : ""}${location.hash}`;
  if (how === "push" && Date.now() > settling) {
    keepPlace();
    history.pushState({ y: scrollY }, "", address);
  } else history.replaceState(history.state, "", address);
  seen = now();
};

// --- the place on the page
let scrolled = null, restoring = false;
const keepPlace = () => {
  clearTimeout(scrolled);
  history.replaceState({ ...history.state, y: scrollY }, "");
};
document.addEventListener("scroll", () => {
  clearTimeout(scrolled);
  if (link !== null && !restoring) scrolled = setTimeout(keepPlace, 150);
}, { passive: true });
// Pictures and the query come in one after the other, so the place is held for a moment.
const restorePlace = (y) => {
  const end = Date.now() + 3000;
  let held = 0;
  restoring = true;
  const step = () => {
    if (!restoring) return;
    const there = document.documentElement.scrollHeight - innerHeight >= y;
    if (there && !held) held = Date.now() + 800;
    if (there && Math.abs(scrollY - y) > 1) scrollTo(0, y);
    if (Date.now() > (held || end)) restoring = false;
    else requestAnimationFrame(step);
  };
  step();
};
const showResults = () => {
  const status = document.querySelector("#status");
  if (!status?.offsetParent) return;
  const place = () => {
    const { top } = status.getBoundingClientRect();
    if (top < 0 || top > innerHeight * 0.6) scrollTo(0, scrollY + top - 12);
  };
  place();
  // What stands above may still change; whoever scrolls is left alone.
  const left = new AbortController();
  for (const kind of ["wheel", "touchmove", "keydown"]) {
    addEventListener(kind, () => left.abort(), { signal: left.signal, passive: true });
  }
  for (const wait of [300, 700]) setTimeout(() => { if (!left.signal.aborted) place(); }, wait);
  setTimeout(() => left.abort(), 800);
  // What was pressed may be gone with the first screen; the next Tab leads to the hits.
  setTimeout(() => { // a vote in the grid has its focus back by then: see grid.js
    const at = document.activeElement;
    if (at !== document.body && !at.closest("#examples, #start, #words")) return;
    status.tabIndex = -1;
    status.focus({ preventScroll: true });
  }, 150);
};

// --- from Python
watch("value", () => {
  const said = props.value ? JSON.parse(props.value) : null;
  if (!said) return;
  if (said.came === "again") {
    trigger("click", { address: location.search });
    return;
  }
  const before = now();
  link = said.link;
  if (said.came === "arrival") {
    tab = said.tab;
    opened = said.open;
    arriving = 0;
    settling = Date.now() + SOON;
    write("replace");
    restorePlace(history.state?.y ?? 0);
    return;
  }
  const after = new URLSearchParams(link);
  const isNew = NEW_SEARCH.some((name) => String(before.getAll(name)) !== String(after.getAll(name)));
  if (isNew) opened = "";
  write(said.came === "search" ? "push" : "replace");
  if (isNew && NEW_SEARCH.some((name) => after.has(name))) requestAnimationFrame(showResults);
});

for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) {
  document.addEventListener(kind, () => { // what follows is the visitor's
    settling = 0;
    restoring = false;
  }, { capture: true, passive: true });
}

// --- tabs and the larger view
let pressed = 0;
document.addEventListener("click", (event) => {
  if (event.target.closest("[role=tab]")) pressed = Date.now();
}, true);
document.addEventListener("simile:tab", () => {
  const button = document.querySelector("#tabs [role=tab][aria-selected=true]");
  const name = button?.id.match(/^tab-(.+)-button$/)?.[1];
  if (!name || name === (tab || "search")) return;
  tab = name;
  clearTimeout(waiting);
  if (Date.now() - pressed < SOON) write("push");
  else waiting = setTimeout(() => write("push"), SOON);
});
document.addEventListener("simile:viewer", (event) => {
  const { id, by } = event.detail;
  const had = opened;
  if (id === had) return;
  opened = id;
  if (!id && by === "page") return; // what the page does next makes the entry
  if (!id && history.state?.viewer) return history.back();
  write(id && !had ? "push" : "replace");
  if (id && !had && Date.now() > settling) history.replaceState({ ...history.state, viewer: true }, "");
});

// --- back and forward
const without = (params, name) => {
  const rest = new URLSearchParams(params);
  rest.delete(name);
  return rest.toString();
};
addEventListener("popstate", () => {
  clearTimeout(scrolled);
  clearTimeout(waiting);
  const before = seen;
  seen = now();
  if (before.toString() === seen.toString()) return; // only the part behind # has changed
  const target = seen.get("tab") || "search";
  if (without(before, "open") === without(seen, "open") && !seen.has("open")) {
    opened = "";
    document.dispatchEvent(new CustomEvent("simile:close"));
    restorePlace(history.state?.y ?? 0);
  } else if (without(before, "tab") === without(seen, "tab")) {
    tab = target;
    document.querySelector(`#tab-${target}-button`)?.click();
    restorePlace(history.state?.y ?? 0);
  } else {
    document.dispatchEvent(new CustomEvent("simile:close"));
    arriving = Date.now() + PATIENCE;
    trigger("click", { address: location.search });
  }
});
