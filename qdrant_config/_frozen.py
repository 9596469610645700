"""What all configuration models share."""

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen"]


class Frozen(BaseModel):
    """Unknown keys are refused, so that a misspelt setting cannot be ignored in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
