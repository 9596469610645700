"""The map as a component that the browser draws."""

import gradio as gr

from page.theme import script

__all__ = ["map_chart"]

HINT = (
    "Drag to move, wheel or pinch to zoom, click a picture to see what is like it. Lasso (or Shift and drag) "
    "chooses several; so does a label. Keys: arrows, + and −."
)
_HTML = f"""
<div class="notice" hidden></div>
<div class="map" hidden>
  <div class="bar">
    <div class="colour-by" role="group" aria-label="Colour by"></div>
    <button type="button" class="lasso" aria-pressed="false">Lasso</button>
    <button type="button" class="always" aria-pressed="false">Pictures</button>
    <button type="button" class="farther" aria-label="Zoom out">−</button>
    <button type="button" class="closer" aria-label="Zoom in">+</button>
    <button type="button" class="whole">Whole map</button>
  </div>
  <div class="body">
    <div class="stage" tabindex="0" role="application"
         aria-label="Map of pictures. The labels after it list the same pictures.">
      <canvas class="dots"></canvas><canvas class="overlay" aria-hidden="true"></canvas>
      <button type="button" class="lost" hidden>Nothing is here: whole map</button>
      <div class="tip" hidden><canvas></canvas><p></p></div>
    </div>
    <div class="legend" role="group" aria-label="Show the pictures of one label"></div>
  </div>
  <p class="hint">{HINT}</p>
</div>
"""


def map_chart(facts: str | None = None) -> gr.HTML:
    """What the browser draws: its value is JSON, see `MapHandlers.show`."""
    return gr.HTML(
        facts,
        html_template=_HTML,
        js_on_load=script("map_names.js") + script("map.js"),
        apply_default_css=False,
        elem_id="map",
    )
