// A grid of pictures: one listener for all cards. On the keyboard each picture is one stop: arrows lead from one to
// the next, Enter looks at it, M opens a menu with what else can be done.
const tell = (action, card) => trigger("click", { action, index: Number(card.querySelector("[data-index]").dataset.index) });
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (!button || !element.contains(button)) return;
  trigger("click", { action: button.dataset.action, index: Number(button.dataset.index) });
});

const openers = () => [...element.querySelectorAll("button.open")];
const middle = (one) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
};
// The picture above or below: of the nearest row, the one that is nearest across.
const beyond = (from, down) => {
  const [x, y] = middle(from);
  const apart = (one) => {
    const [left, top] = middle(one);
    return { one, across: Math.abs(left - x), along: (top - y) * (down ? 1 : -1) };
  };
  const found = openers().map(apart).filter(({ along }) => along > 8);
  const row = Math.min(...found.map(({ along }) => along));
  return found.filter(({ along }) => along < row + 60).sort((a, b) => a.across - b.across)[0]?.one;
};
element.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !event.target.matches("button.open")) return;
  const all = openers(), at = all.indexOf(event.target);
  const next = {
    ArrowRight: () => all[at + 1],
    ArrowLeft: () => all[at - 1],
    ArrowDown: () => beyond(event.target, true),
    ArrowUp: () => beyond(event.target, false),
    Home: () => all[0],
    End: () => all.at(-1),
  }[event.key]?.();
  if (next) {
    event.preventDefault();
    next.focus();
  } else if (event.key === "m" || event.key === "M" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
    event.preventDefault();
    openMenu(event.target);
  }
});

// --- the menu of one picture
const CHOICES = { open: "Look at it", from: "Search from this", like: "More like this", dislike: "Less like this", why: "Why is it here?" };
const openMenu = (opener) => {
  const card = opener.closest(".card");
  if (!card.querySelector(".votes, .score")) return; // an example: Enter does all that can be done
  const menu = document.createElement("div");
  menu.className = "hit-menu";
  menu.setAttribute("role", "menu");
  menu.setAttribute("aria-label", `Do with ${opener.getAttribute("aria-label")}`);
  const votes = Boolean(card.querySelector(".votes")), searched = Boolean(card.querySelector(".score"));
  const offered = Object.keys(CHOICES).filter((one) => (votes || !["like", "dislike"].includes(one)) && (searched || one !== "why"));
  const offer = (text, act) => {
    const item = document.createElement("button");
    Object.assign(item, { type: "button", tabIndex: -1, textContent: text });
    item.setAttribute("role", "menuitem");
    item.addEventListener("click", () => { leave(true); act(); });
    menu.append(item);
  };
  for (const action of offered) offer(CHOICES[action], () => tell(action, card));
  const check = card.querySelector("button.check"); // see selection.js
  if (check) offer(check.getAttribute("aria-pressed") === "true" ? "Take out of the selection" : "Select", () => check.click());
  let left = false;
  const leave = (back) => {
    if (left) return; // what is taken away loses the focus, which leads here again
    left = true;
    menu.remove();
    if (back) opener.focus();
  };
  menu.addEventListener("keydown", (event) => {
    const items = [...menu.children], at = items.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) items.at(to % items.length).focus();
    else if (event.key === "Escape") leave(true);
    else if (event.key === "Tab") return leave(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  menu.addEventListener("focusout", (event) => { if (!menu.contains(event.relatedTarget)) leave(false); });
  card.append(menu);
  menu.firstElementChild.focus();
};

// A new list takes the place of the old one, and with it the focus: it goes back to the same picture, else to one
// at the same place.
let focused = null;
element.addEventListener("focusin", (event) => {
  const card = event.target.closest(".card");
  focused = card && { point: card.dataset.point, at: [...element.querySelectorAll(".card")].indexOf(card) };
});
element.addEventListener("focusout", (event) => { if (event.relatedTarget) focused = null; });
watch("value", () => requestAnimationFrame(() => {
  if (!focused || document.activeElement !== document.body) return;
  const cards = [...element.querySelectorAll(".card")];
  const card = cards.find((one) => one.dataset.point === focused.point) ?? cards[focused.at];
  card?.querySelector("button.open").focus({ preventScroll: true });
}));

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
