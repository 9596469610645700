"""Addresses of datasets on the Hub, as people write or paste them."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from pipeline.errors import SimileError
from pipeline.sources.storage import HUB
from pipeline.sources.web_addresses import is_web

__all__ = ["HubAddress", "hub_address"]

_ID = r"(?P<name>[\w.-]+/[\w.-]+)"
_OWN = re.compile(rf"hf://datasets/{_ID}(?:@(?P<revision>refs/[^/]+/[^/]+|[^/]+))?(?:/(?P<inside>.*))?")
_PAGE = re.compile(
    rf"/datasets/{_ID}(?:/(?P<view>tree|blob|resolve|viewer)(?:/(?P<first>refs/[^/]+/[^/]+|[^/]+)"
    r"(?:/(?P<rest>.*))?)?)?/?"
)


class HubAddress(NamedTuple):
    """A dataset on the Hub.

    Attributes:
        name: `org/name`.
        revision: branch, tag or commit, if one is named.
        inside: path of a folder or file in it; empty for all of it.
        config: the configuration that a page shows.
    """

    name: str
    revision: str | None = None
    inside: str = ""
    config: str | None = None


def hub_address(source: str) -> HubAddress | None:
    """What an `hf://` address, an address of the Hub's pages or an id names; None for anything else.

    >>> hub_address("hf://datasets/org/name@v1/data/a.tar")
    HubAddress(name='org/name', revision='v1', inside='data/a.tar', config=None)
    >>> hub_address("https://huggingface.co/datasets/org/name/tree/main/data").inside
    'data'

    Raises:
        SimileError: an address of the Hub that is none of a dataset.
    """
    if source.startswith(HUB):
        found = _OWN.fullmatch(source.rstrip("/"))
        if not found:
            raise SimileError(f"'{source}' is no dataset; expected hf://datasets/org/name")
        return HubAddress(found["name"], _unquoted(found["revision"]), (found["inside"] or "").strip("/"))
    if is_web(source):
        return _of_page(source)
    return HubAddress(source) if re.fullmatch(r"[\w.-]+/[\w.-]+", source) else None


def _of_page(source: str) -> HubAddress | None:
    from huggingface_hub import constants

    try:
        parts = urlsplit(source)
    except ValueError:  # brackets that do not match
        return None
    if parts.netloc not in ("huggingface.co", "hf.co", urlsplit(constants.ENDPOINT).netloc):
        return None
    found = _PAGE.fullmatch(parts.path)
    if not found:
        raise SimileError(
            f"'https://{parts.hostname}{parts.path}' is no page of a dataset; expected "
            "https://huggingface.co/datasets/org/name"
        )
    if found["view"] == "viewer":
        return HubAddress(found["name"], config=_unquoted(found["first"]))
    return HubAddress(found["name"], _unquoted(found["first"]), unquote(found["rest"] or "").strip("/"))


def _unquoted(text: str | None) -> str | None:
    return unquote(text) if text else None
