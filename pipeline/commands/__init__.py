"""What `python -m pipeline` can do, a module a command; each prints a text, or JSON with `--json`.

A module has `NAME`, `HELP`, `add_arguments(parser)` and `run(options) -> text`. Libraries that take long to
import are imported in `run`.
"""

from pipeline.installation import end_without_packages

end_without_packages()
