"""The examples in the panel "API" of the page: calls of the endpoints that work as they stand.

Gradio writes them from the types of arguments ("..." for any text), which no endpoint takes. Here they name
the first collection and its pictures, and the shell's example is one that bash runs.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio.routes
from gradio_client.snippet import generate_js_snippet, generate_python_snippet

from page.collection_library import CollectionLibrary
from page.link_preview import PREVIEW
from page.wording import readable
from pipeline.errors import SimileError
from pipeline.search import Collection, Hit

__all__ = ["PanelExamples"]

_SIDE = 16  # pixels of a picture that stands in an example: 200 characters
_FILE = "FILE"  # shell variable
_ROOT = "{space_id}"  # Gradio puts the page's address in its place
# Arguments with a default that an endpoint needs all the same: this one, or another.
_ALSO = {("/explain", "id"), ("/palette", "collection")}
_UPLOADS = {("/search", "image")}


class PanelExamples:
    """Over the collections of one library."""

    def __init__(self, library: CollectionLibrary) -> None:
        self._library = library
        self._kept: tuple[str, dict[str, Any]] = "", {}  # version -> values of arguments

    def install(self) -> None:
        """Let Gradio show these examples; it looks both functions up in its module each time."""
        routes: Any = gradio.routes
        routes.generate_code_snippets = self.snippets
        routes.generate_cli_snippet = self.commands

    def snippets(
        self,
        api_name: str,
        endpoint_info: Mapping[str, Any],
        root: str,
        space_id: str | None = None,
        api_prefix: str = "/",
    ) -> dict[str, str]:
        """The call in Python, JavaScript and bash; arguments as in `gradio_client.snippet`.

        Args:
            space_id: not used: the address of the page is the same wherever it runs.
        """
        root = root.rstrip("/")
        given = self._parameters(api_name, endpoint_info["parameters"], root)
        return {
            "python": _with_download(generate_python_snippet(api_name, given, root), f"{root}/{PREVIEW}"),
            "javascript": generate_js_snippet(api_name, given, root),
            "bash": _bash(api_name, given, root, root + (api_prefix or "/")),
        }

    def commands(self, endpoints: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """The call of each endpoint by Gradio's command line."""
        given = {name: self._parameters(name, info["parameters"], _ROOT) for name, info in endpoints.items()}
        return {name: f"{{command}} predict {_ROOT} {name} {_quoted(args)}\n" for name, args in given.items()}

    def _parameters(
        self, endpoint: str, given: Sequence[Mapping[str, Any]], root: str
    ) -> list[dict[str, Any]]:
        """The arguments of an endpoint, those that it needs with a value that exists."""
        values = self._values()
        changed = []
        for one in given:
            name = one["parameter_name"]
            needed = not one["parameter_has_default"] or (endpoint, name) in _ALSO
            if (endpoint, name) in _UPLOADS:
                address = f"{root}/{PREVIEW}"
                file = {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}}
                changed.append({**one, "example_input": file, "component": "Image"})
            elif needed and name in values:
                changed.append({**one, "parameter_has_default": False, "example_input": values[name]})
            else:
                changed.append(dict(one))
        return changed

    def _values(self) -> dict[str, Any]:
        """Argument -> value, of the first collection; none where there is none yet."""
        try:
            found = self._library.open(next((name for _, name in self._library.titles()), None))
            version = found.version
            if self._kept[0] != version:
                self._kept = version, _values_of(found)
        except SimileError:
            return {}
        return self._kept[1]


def _values_of(found: Collection) -> dict[str, Any]:
    hits = found.examples(2)
    if not hits:
        return {}
    fields = [field for field in found.filters if found.kinds[field].counted]
    return {
        "collection": found.name,
        "field": (fields or found.filters or [""])[0],
        "text": _words(found, fields),
        "image": _picture(hits[0]),
        "id": hits[0].id,
        "query": hits[0].id,
        "hit_id": hits[-1].id,
        "likes": [hits[0].id],
        "colours": ["#aa3311", "#ffeecc"],
        "vector": json.dumps([1] + [0] * ((found.encoder_entry().dimension or 1) - 1)),
    }


def _words(found: Collection, fields: Sequence[str]) -> str:
    texts = [field for field in fields if found.kinds[field].kind == "text"]
    if found.encoder_entry().text or not texts:
        return "a boat at dusk"
    return readable(found.facets(texts[-1], limit=1)[0][0]).lower()


def _picture(hit: Hit) -> str:
    """A data URL of few characters."""
    file = io.BytesIO()
    hit.image().resize((_SIDE, _SIDE)).save(file, "WEBP", quality=40)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _with_download(snippet: str, address: str) -> str:
    """The page takes files and no addresses, so that the example fetches its picture first."""
    asked = next((line for line in snippet.splitlines() if f"handle_file('{address}')" in line), None)
    if asked is None:
        return snippet
    first, rest = snippet.split("\n\n", 1)
    fetched = f'picture, _ = urlretrieve("{address}")\n'
    return f"from urllib.request import urlretrieve\n\n{first}\n\n{fetched}" + rest.replace(
        f"handle_file('{address}')", "handle_file(picture)"
    )


def _bash(api_name: str, given: Sequence[Mapping[str, Any]], root: str, api: str) -> str:
    name = api_name.lstrip("/")
    lines = []
    if any((api_name, one["parameter_name"]) in _UPLOADS for one in given):
        lines.append(
            f"{_FILE}=$(curl -s {root}/{PREVIEW} | curl -s -F 'files=@-;filename=picture.jpg' {api}upload "
            "| cut -d '\"' -f 2)"
        )
    lines += [
        f'EVENT_ID=$(curl -s -X POST {api}call/v2/{name} -H "Content-Type: application/json" \\',
        f"  -d {_quoted(given, upload=True)} | cut -d '\"' -f 4)",
        f"curl -sN {api}call/{name}/$EVENT_ID",
    ]
    return "\n".join(lines)


def _quoted(given: Sequence[Mapping[str, Any]], *, upload: bool = False) -> str:
    """The arguments as JSON in quotes of the shell; an upload by what the shell's variable holds."""
    values = {
        one["parameter_name"]: one["parameter_default"]
        if one["parameter_has_default"]
        else one["example_input"]
        for one in given
    }
    text = json.dumps(values).replace("'", "\\u0027")
    for value in values.values() if upload else ():
        if isinstance(value, dict) and "meta" in value:
            sent = json.dumps({"path": _FILE, "meta": value["meta"]})
            text = text.replace(json.dumps(value), sent.replace(_FILE, f"'${_FILE}'", 1))
    return f"'{text}'"
