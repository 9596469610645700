"""How the page looks: accent colour, system fonts, and the style sheets and scripts of static/.

Nothing is fetched from other sites.
"""

from functools import cache
from pathlib import Path

import gradio as gr
from gradio.themes import Color

__all__ = ["ACCENT", "CSS", "script", "styles", "theme"]

ACCENT = Color(
    name="simile",
    c50="#eefaf7",
    c100="#d3f1ea",
    c200="#a8e3d6",
    c300="#72cdbc",
    c400="#43b09e",
    c500="#289483",
    c600="#1b776a",
    c700="#195f56",
    c800="#184c46",
    c900="#173f3b",
    c950="#082523",
)

_STATIC = Path(__file__).parent / "static"

_SANS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SF Mono", "Cascadia Mono", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's plain theme in Simile's colours."""
    made = gr.themes.Default(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    )
    return made.set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        link_text_color_dark="*primary_300",  # links to downloads lie on a grey row
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        # radio buttons and checkboxes have a contrast of 3:1, as WCAG 2 asks
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        # as do the frames of what is typed into or pressed
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_500",
        button_secondary_border_color="*neutral_500",
        button_secondary_border_color_dark="*neutral_500",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )


@cache
def styles() -> str:
    """All style sheets of static/ as one, in the order of their names."""
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(_STATIC.glob("*.css")))


@cache
def script(name: str) -> str:
    """A script for `gr.HTML(js_on_load=...)`, which gives it `element`, `trigger`, `props` and `watch`."""
    return (_STATIC / name).read_text(encoding="utf-8")


CSS = styles()
