// The box for words completes the last word that is written, by the names of the collection's labels.
const MOST = 8;
const field = () => document.querySelector("#words input, #words textarea");
const names = () => JSON.parse(props.value || "[]");
const begins = (name, start) => name.toLowerCase().split(/[\s-]+/).some((_, at, words) => words.slice(at).join(" ").startsWith(start));
const complete = () => {
  const written = field()?.value ?? "", list = element.querySelector("datalist");
  const [, before, last] = written.match(/^(.*?)(\S*)$/s);
  const start = last.toLowerCase();
  const fitting = start.length < 2 ? [] : names().filter((name) => begins(name, start) && name.toLowerCase() !== start);
  list.replaceChildren(...fitting.slice(0, MOST).map((name) => Object.assign(document.createElement("option"), { value: before + name })));
};
const attach = () => {
  const input = field();
  if (!input || input.getAttribute("list")) return;
  input.setAttribute("list", "word-list");
  input.setAttribute("autocomplete", "off");
};
document.addEventListener("input", (event) => { if (event.target === field()) complete(); });
new MutationObserver(attach).observe(document.body, { subtree: true, childList: true });
attach();
