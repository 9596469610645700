// The slider of closeness: its words follow the handle, and a move that ends is told to Python.
const label = () => element.querySelector(".closeness");
element.addEventListener("input", (event) => {
  const words = label().dataset.words.split("|")[Number(event.target.value)];
  label().querySelector("output").textContent = words;
  event.target.setAttribute("aria-valuetext", words);
});
let waiting = null;
element.addEventListener("change", (event) => {
  const step = Number(event.target.value);
  clearTimeout(waiting);
  waiting = setTimeout(() => trigger("click", { step }), 250); // a key that is held moves it many times
});
