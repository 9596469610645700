// Pictures pasted, dropped or chosen, one or several, come in where the panel of the open tab takes pictures.
const MOST_FILES = 8; // of one query, see page/pixel_budget.py
const ENDINGS = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf])$/i;
const panel = element.closest("[id$='-query']");
const drop = `#${panel.id.replace("-query", "-drop")}`;
const input = () => document.querySelector(`${drop} input[type=file]`);
const isShown = () => Boolean(panel.closest(".tabitem")?.offsetParent);

// Browsers know no kind of some files, such as HEIC; Gradio refuses those, so they are called pictures here.
const isPicture = (file) => file.type.startsWith("image/") || (!file.type && ENDINGS.test(file.name));
const asPicture = (file) => {
  if (file.type) return file;
  const ending = file.name.match(ENDINGS)[1].toLowerCase();
  return new File([file], file.name, { type: `image/${ending.replace("jpg", "jpeg")}` });
};
let giving = false;
const give = (file) => {
  const data = new DataTransfer();
  data.items.add(asPicture(file));
  giving = true;
  input().files = data.files;
  input().dispatchEvent(new Event("change", { bubbles: true }));
  giving = false;
};
const until = (holds, then) => {
  const end = Date.now() + 20_000;
  const wait = setInterval(() => {
    if (holds()) then();
    if (holds() || Date.now() > end) clearInterval(wait);
  }, 50);
};
const count = () => element.querySelectorAll(".query img").length;
// The first picture begins a search, the others are added to it one by one.
const giveAll = ([first, ...rest], adds) => {
  const next = () => {
    const before = count(), [file, ...left] = rest;
    give(first);
    if (file) until(() => count() > before && !input(), () => setTimeout(() => giveAll([file, ...left], true), 50));
  };
  if (input()) return next();
  trigger("click", { action: adds ? "add" : "clear" }); // the place for pictures is hidden while there is one
  until(input, next);
};
const receive = (event, files) => {
  const pictures = [...(files || [])].filter(isPicture).slice(0, MOST_FILES);
  if (!pictures.length || !isShown() || event.defaultPrevented) return;
  event.preventDefault();
  giveAll(pictures, false);
};
// Several may be chosen at once; Gradio would take the first, and no HEIC.
const offer = () => {
  const field = input();
  if (!field || field.multiple) return;
  field.multiple = true;
  field.accept = "image/*,.heic,.heif,.avif,.tif,.tiff";
};
new MutationObserver(offer).observe(document.body, { subtree: true, childList: true });
offer();
document.addEventListener("change", (event) => {
  if (giving || event.target !== input()) return;
  const files = [...event.target.files];
  if (files.length < 2 && files.every((file) => file.type)) return;
  event.stopImmediatePropagation();
  const pictures = files.filter(isPicture).slice(0, MOST_FILES);
  if (pictures.length) giveAll(pictures, element.querySelector(".query") !== null);
  else trigger("click", { action: "address" });
}, true);
document.addEventListener("drop", (event) => { // over the place for pictures Gradio would take one
  const files = event.dataTransfer?.files;
  if (!event.target.closest?.(drop) || !files || (files.length < 2 && [...files].every((file) => file.type))) return;
  event.stopImmediatePropagation();
  receive(event, files);
  event.preventDefault();
}, true);

// Text and addresses are not opened, which is said; a field for words takes them as ever.
const refuse = (event, data) => {
  if (event.defaultPrevented || data?.files.length || !data?.types.some((one) => one.startsWith("text/"))) return;
  if (event.target.closest?.("input, textarea, [contenteditable]") || !isShown()) return;
  event.preventDefault();
  trigger("click", { action: "address" });
};
document.addEventListener("paste", (event) => {
  receive(event, event.clipboardData?.files);
  refuse(event, event.clipboardData);
});
document.addEventListener("dragover", (event) => {
  if (!event.target.closest?.("input, textarea")) event.preventDefault(); // else the browser leaves the page
});
document.addEventListener("drop", (event) => {
  receive(event, event.dataTransfer?.files);
  refuse(event, event.dataTransfer);
  if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); // on any tab, and whatever it is
});
