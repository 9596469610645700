"""A Hub id, a mirror in the Hub's layout or a folder of images, as something that can be read row by row.

Of a dataset in the Hub's layout `datasets` says what there is: configurations, splits, features, class names.
A folder of images is listed here. The bytes go through Ray Data.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import SimileError
from pipeline.parsing import parse_yaml
from pipeline.sources.hub import resolve_hub
from pipeline.sources.local import resolve_local
from pipeline.sources.source import Source, Wanted

__all__ = ["resolve_source"]


def resolve_source(
    source: str,
    *,
    split: str = "train",
    image_column: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    strict: bool = True,
    follow_links: bool = False,
) -> Source:
    """Find out what `source` is. Reads file names, metadata and parquet footers, but no image.

    Args:
        source: a path if it exists or begins with `.`, `/` or `~`; otherwise a Hub id `org/name`.
        split: of a dataset in the Hub's layout, one that `datasets` sees; of a folder of images, `train`
            unless all of them lie in folders such as train/ and test/.
        image_column: needed only where there are several.
        config: the configuration (subset), where there are several.
        revision: branch, tag or commit on the Hub.
        strict: whether another image column than `image_column` is refused, or taken where that is not there.
        follow_links: whether links in a folder that lead outside of it are followed.

    Raises:
        SimileError: nothing there, no images, an unknown split, column or configuration, or the Hub does not
            show it.
    """
    wanted = Wanted(image_column, strict)
    if Path(source).expanduser().exists() or source.startswith((".", "/", "~")):
        folder = Path(source).expanduser().absolute()  # absolute at once: a job may run elsewhere
        _check_card(folder / "README.md")
        return resolve_local(folder, split, wanted, config, follow_links)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", source):
        raise SimileError(
            f"'{source}' is neither an existing folder nor a Hub id; expected a path or org/name"
        )
    return resolve_hub(source, split, wanted, config, revision)


def _check_card(file: Path) -> None:
    """Refuse a dataset card that `datasets` would stumble over: it reads splits and features from it.

    Raises:
        SimileError: its front matter is no YAML, or not of the shape of a card.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is none
        return
    front = re.match(r"\s*---\r?\n(.*?)\r?\n---(\r?\n|$)", text, re.DOTALL)
    try:
        said = parse_yaml(front[1]) if front else {}
        if not (said is None or isinstance(said, dict)):
            raise ValueError(f"it must be keys and values, and is a {type(said).__name__}")
        infos = (said or {}).get("dataset_info") or []
        for info in infos if isinstance(infos, list) else [infos]:
            if not isinstance(info, dict) or not isinstance(info.get("features") or [], list):
                raise ValueError("dataset_info must be keys and values, and its features a list")
    except ValueError as error:
        raise SimileError(
            f"the dataset card '{file}' cannot be read: {error}; mend the lines between its '---', or remove "
            "them"
        ) from None
