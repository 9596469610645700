"""How the templates of pages are filled, and how they write numbers and moments."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.sources import public_name

__all__ = ["page_environment", "plain"]

_TEMPLATES = Path(__file__).parent / "templates"


def page_environment() -> Environment:
    """Escapes all values; an unknown name is an error."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # charts.py escapes what comes from the data
    environment.filters["percent"] = _percent
    environment.filters["public_name"] = public_name
    environment.filters["number"] = "{:,}".format
    environment.filters["two"] = "{:.2f}".format
    environment.filters["three"] = "{:.3f}".format
    environment.filters["plain"] = plain
    environment.filters["moment"] = _moment
    return environment


def _percent(value: float) -> str:
    """Enough digits to tell 99.99 % from 100 %."""
    if value in (0, 1) or 0.001 <= value <= 0.999:
        return f"{value:.1%}".replace("%", "\u00a0%")
    return f"{value:.3%}".replace("%", "\u00a0%")


def plain(value: Any) -> str:
    """4 for 4.0, 12,345.5, yes for True."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _moment(built: str) -> str:
    """ISO 8601 as people write it; anything else stays."""
    try:
        return f"{datetime.fromisoformat(built).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return built
