"""Whatever a source is written as, as something that can be read row by row.

Of a dataset in the Hub's layout `datasets` says what there is: configurations, splits, features, class names.
A folder of images is listed here. The bytes go through Ray Data.
"""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import SimileError
from pipeline.home import is_remote
from pipeline.parsing import parse_yaml
from pipeline.printable import printable
from pipeline.sources.hub import resolve_hub
from pipeline.sources.hub_address import hub_address
from pipeline.sources.place import resolve_place
from pipeline.sources.single_file import is_pattern, refuse_kind
from pipeline.sources.source import Asked, KeptTars, Source, Wanted
from pipeline.sources.spreading import Spread
from pipeline.sources.storage import OBJECT_STORES
from pipeline.sources.web_addresses import shown_address

__all__ = ["resolve_source"]

_SHOWN = 100  # characters of a text that is no source


def resolve_source(
    source: str,
    *,
    split: str = "train",
    image_column: str | None = None,
    config: str | None = None,
    revision: str | None = None,
    strict: bool = True,
    follow_links: bool = False,
    url_column: str | None = None,
    allow_private: bool = False,
    spread: Spread | None = None,
    kept_tars: KeptTars | None = None,
) -> Source:
    """Find out what `source` is. Reads file names, metadata and parquet footers, but no image.

    Args:
        source: a path if it exists or begins with `.`, `/` or `~`; an address of an object store or of the
            Hub; otherwise a Hub id `org/name`.
        split: of a dataset in the Hub's layout, one that `datasets` sees; of a folder of images, `train`
            unless all of them lie in folders such as train/ and test/.
        image_column: needed only where there are several.
        config: the configuration (subset), where there are several.
        revision: branch, tag or commit on the Hub.
        strict: whether another image column than `image_column` is refused, or taken where that is not there.
        follow_links: whether links in a folder that lead outside of it are followed, and paths in a list.
        url_column: of a list, the column with addresses or paths of the pictures.
        allow_private: whether a list may name web addresses of private machines.
        spread: runs work on a cluster; footers and headers of many files are read by it.
        kept_tars: where the headers of tars are kept; by default they are not.

    Raises:
        SimileError: nothing there, no images, an unknown split, column or configuration, or the Hub does not
            show it.
    """
    asked = Asked(
        split,
        Wanted(image_column, strict),
        config,
        revision,
        follow_links,
        url_column,
        allow_private,
        spread,
        kept_tars,
    )
    place = None if is_remote(source) else _path_of(source)
    if place is not None:
        _check_card(place / "README.md")
        return resolve_place(str(place), asked)
    if source.startswith(OBJECT_STORES):
        return resolve_place(source.rstrip("/"), asked)
    address = hub_address(source)
    if address:
        return resolve_hub(address, asked)
    refuse_kind(shown_address(source))
    if is_remote(source):
        raise SimileError(
            f"'{shown_address(source)}' is no source; expected s3://, gs://, az://, hf://datasets/org/name, "
            "a page of a dataset on the Hub, or a path. Download a file from the web first, and give its path"
        )
    raise SimileError(
        f"'{source}' is neither an existing folder nor a Hub id; expected a path, an address or org/name"
    )


def _path_of(source: str) -> Path | None:
    """The path that a text is, absolute at once, because a job may run elsewhere; None where it is none.

    Raises:
        SimileError: the system cannot look there.
    """
    shown = printable(source.partition("?")[0], _SHOWN)  # an address without its scheme may be signed
    try:
        path = Path(source).expanduser()
        if path.exists() or source.startswith((".", "/", "~")) or is_pattern(source):
            return path.absolute()
    except RuntimeError:  # of expanduser
        raise SimileError(
            f"'{shown}' begins with the home of a user that this machine does not know; write the whole path"
        ) from None
    except OSError as error:
        raise SimileError(
            f"'{shown}' cannot be accessed ({error.strerror}); expected an existing path that this user may "
            "enter, an address or org/name"
        ) from None
    return None


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
            f"the dataset card '{file}' cannot be read: {error}; correct the lines between its '---', or "
            "remove them"
        ) from None
