"""How the page looks: one accent colour, system fonts (nothing is fetched from elsewhere), two widths."""

import gradio as gr
from gradio.themes import Color

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
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )


CSS = """
.gradio-container { width: 100%; min-width: 0; max-width: 1500px !important; margin: 0 auto !important; }
.gradio-container .main, .gradio-container main { min-width: 0; width: 100%; }
#masthead { padding: 4px 2px 0; }
#masthead h1 { font-size: 1.6rem; font-weight: 650; letter-spacing: -0.02em; margin: 0; }
#masthead p { margin: 2px 0 0; color: var(--body-text-color-subdued); }
#columns { align-items: flex-start; }

.status { margin: 0; padding: 8px 2px; font-variant-numeric: tabular-nums;
          color: var(--body-text-color-subdued); }
.status.problem { padding: 10px 14px; border-radius: var(--radius-md); border-left: 4px solid #c2410c;
                  background: rgb(194 65 12 / 0.09); color: var(--body-text-color); }
.credit { margin: 6px 2px 0; font-size: var(--text-sm); color: var(--body-text-color-subdued); }

#hits .grid-container, #examples .grid-container { height: auto !important; max-height: none !important; }
#hits .grid-wrap, #examples .grid-wrap { height: auto !important; min-height: 0 !important;
                                         max-height: none !important; overflow: visible !important; }
#hits .gallery-item, #examples .gallery-item { min-width: 0; }
#hits .thumbnail-item, #examples .thumbnail-item { width: 100%; height: auto; aspect-ratio: 1; }
#hits .thumbnail-item img, #examples .thumbnail-item img { width: 100%; height: 100%; }
#query .image-frame img, #picture img { width: 100%; height: 100%; object-fit: contain; }
#hits .grid-container { grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)) !important; gap: 10px; }
#examples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important;
                            grid-template-rows: none !important; grid-auto-rows: auto !important;
                            align-content: start; gap: 6px; padding: 24px 0 0; }
#hits .caption-label { left: 0; right: 0; bottom: 0; max-width: none; margin: 0;
                       border-radius: 0; text-align: left; font-size: var(--text-xs);
                       font-variant-numeric: tabular-nums; }

#examples .caption-label { display: none; }

#larger { padding: 14px; border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg);
          background: var(--background-fill-secondary); align-items: flex-start; }
#larger h3 { margin: 0 0 6px; font-size: 1.15rem; font-weight: 600; }
.fields { margin: 0 0 8px; }
.fields > div { display: grid; grid-template-columns: 8em minmax(0, 1fr); gap: 10px; padding: 4px 0;
                border-bottom: 1px solid var(--border-color-primary); }
.fields dt { color: var(--body-text-color-subdued); font-size: var(--text-sm); }
.fields dd { margin: 0; overflow-wrap: anywhere; font-size: var(--text-sm); }

@media (max-width: 700px) {
  .gradio-container { padding: 0 !important; }
  .gradio-container .main { padding: 12px !important; }
  #hits .grid-container { grid-template-columns: repeat(auto-fill, minmax(98px, 1fr)) !important; gap: 6px; }
  #masthead h1 { font-size: 1.35rem; }
}
"""
