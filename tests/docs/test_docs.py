"""What README.md and docs/ say is so: examples run, YAML is valid, links resolve, flags and keys exist."""

import ast
import contextlib
import importlib.util
import io
import re
import runpy
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from PIL import Image
from pydantic import BaseModel

from pipeline.config import (
    CollectionConfig,
    EncoderConfig,
    HnswConfig,
    MemoryConfig,
    ProjectionConfig,
    QuantizationConfig,
    SearchConfig,
)
from pipeline.search import query_embedding
from pipeline.store import open_store
from pipeline.training.config import TrainingConfig
from tests.docs.pages import ALL, DOCS, GUIDES, ROOT, Block, anchors, blocks, commands, links, tables
from tests.search import conftest as greys

# runpy warns of modules that another one has imported; for --help alone that changes nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
OURS = ("pipeline", "ray_jobs", "benchmarks", "tests", "docs", "samples", "demo")
PYTHON = [page for page in GUIDES if blocks(page, "python")]
YAML = [block for page in GUIDES for block in blocks(page, "yaml")]
FLAG = re.compile(r"--[a-z][a-z0-9-]*")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


# --- Python


@pytest.fixture
def wikiart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with a small collection called `wikiart`, and `cat.jpg` in the working folder."""
    original = greys._payload
    styles = ("Cubism", "Impressionism")
    monkeypatch.setattr(greys, "_payload", lambda i: original(i) | {"style": styles[i % 2]})
    monkeypatch.setattr(query_embedding, "load_encoder", lambda name: greys.GreyEncoder())
    query_embedding._encoders.clear()
    query_embedding._vectors.clear()
    monkeypatch.setenv("SIMILE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").convert("RGB").save("cat.jpg")
    store = open_store()
    store.switch("wikiart", greys.fill(store, calibrated=True))


@pytest.mark.usefixtures("wikiart")
@pytest.mark.parametrize("page", PYTHON, ids=name_of)
def test_python_examples_run(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The blocks of a page run one after the other, as a reader would type them."""
    names: dict[str, Any] = {}
    printed = 0
    for block in blocks(page, "python"):
        code = compile(block.text, str(block), "exec")
        if not block.not_run:
            exec(code, names)
            printed += len(capsys.readouterr().out)
    assert printed > 0  # every page prints something of what it found


def test_only_the_hub_and_a_page_keep_examples_from_running() -> None:
    reasons = {block.not_run for page in PYTHON for block in blocks(page, "python")}
    assert reasons == {"", "needs the Hugging Face Hub", "needs a running page"}


# --- YAML


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_valid(block: Block) -> None:
    given = yaml.safe_load(block.text)
    if "network" in given:
        TrainingConfig.model_validate(given)
        return
    least = {"collection": "some", "source": "some/where", "encoders": [{"name": "weights:art-cnn"}]}
    CollectionConfig.model_validate(given if "collection" in given else least | given)


def test_the_yaml_of_the_readme_has_four_lines() -> None:
    (block,) = blocks(ROOT / "README.md", "yaml")
    assert len(block.text.splitlines()) == 4
    CollectionConfig.model_validate(yaml.safe_load(block.text))


def documented(head: list[str], page: Path) -> list[dict[str, str]]:
    """Of each table with this head: key -> default, both without backticks."""
    found = []
    for table in tables(page):
        if table.head == head:
            keys = [(key.split(", "), row[1]) for row in table.rows for key in row[:1]]
            found.append({key.strip("`"): default for several, default in keys for key in several})
    return found


@pytest.mark.parametrize(
    ("at", "model"),
    list(
        enumerate(
            [CollectionConfig, ProjectionConfig, QuantizationConfig, HnswConfig, MemoryConfig, SearchConfig]
        )
    ),
)
def test_keys_of_a_collection(at: int, model: type[BaseModel]) -> None:
    said = documented(["key", "default", "meaning"], DOCS / "indexing.md")[at]
    inner = {key: default for key, default in said.items() if key.startswith("encoders.")}
    assert {key.removeprefix("encoders.") for key in inner} == (
        set(EncoderConfig.model_fields) if model is CollectionConfig else set()
    )
    assert said.keys() - inner.keys() == model.model_fields.keys()
    for key, default in said.items():
        literal = re.fullmatch(r"`([^`]+)`", default)
        value = model.model_fields[key].default if key in model.model_fields else None
        # A table says one default for all kinds of quantization, where code has one for each kind.
        if literal and value is not None:
            assert yaml.safe_load(literal[1]) == value, key


def test_keys_of_a_training_run() -> None:
    (said,) = documented(["key", "default", "meaning"], DOCS / "training.md")
    assert said.keys() == set(_flat(TrainingConfig))


def _flat(model: type[BaseModel], prefix: str = "") -> list[str]:
    names = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            names += _flat(inner, f"{prefix}{name}.")
        else:
            assert inner is not None and name not in get_args(inner)
            names.append(prefix + name)
    return names


# --- commands


@cache
def flags_of(module: str) -> frozenset[str]:
    """What `python -m module --help` lists, without --help itself and --version, which every program has.

    `module` may be followed by the command of a program that has several: `pipeline search`.
    """
    said = io.StringIO()
    module, *words = module.split()
    before, sys.argv = sys.argv, [module, *words, "--help"]
    try:
        with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
            runpy.run_module(module, run_name="__main__")
    finally:
        sys.argv = before
    assert ended.value.code == 0, module
    return frozenset(FLAG.findall(said.getvalue())) - {"--help", "--version"}


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    for module, arguments in commands(page):
        assert importlib.util.find_spec(module), f"{page.name}: {module}"
        if module == "pipeline" and arguments and arguments[0].isalpha():
            module = f"{module} {arguments[0]}"
        if re.split(r"[. ]", module)[0] in OURS:
            used = {word.partition("=")[0] for word in arguments if word.startswith("--") and word != "--"}
            assert used <= flags_of(module), f"{page.name}: {module} {' '.join(arguments)}"


FLAG_TABLES = {
    table.head[0].removeprefix("flag of ").strip("`").removesuffix(".py"): table
    for page in GUIDES
    for table in tables(page)
    if table.head[0].startswith("flag of ")
}


PROGRAMS = {f"ray_jobs.{path.stem}" for path in (ROOT / "ray_jobs").glob("[a-z]*.py")} | {"demo"}
PROGRAMS |= {"pipeline search", "pipeline hide", "pipeline reports"}
PROGRAMS -= {"ray_jobs.over_slices", "ray_jobs.session", "ray_jobs.stopping"}  # no programs
PROGRAMS -= {"ray_jobs.encoders"}  # a single flag, in a sentence


@pytest.mark.parametrize("module", sorted(PROGRAMS))
def test_every_flag_is_documented(module: str) -> None:
    said = {flag for row in FLAG_TABLES[module].rows for flag in FLAG.findall(row[0])}
    assert said == flags_of(module)


# --- links, names, layers


@pytest.mark.parametrize("page", ALL, ids=name_of)
def test_links_resolve(page: Path) -> None:
    for address in links(page):
        if address.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = address.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {address}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {address}"


def _sources() -> list[Path]:
    folders = ("pipeline", "page", "ray_jobs", "benchmarks")
    return [ROOT / "demo.py", *(file for folder in folders for file in sorted((ROOT / folder).rglob("*.py")))]


def test_environment_variables_are_documented() -> None:
    used = {name for file in _sources() for name in re.findall(r"\bSIMILE_[A-Z_]+", file.read_text("utf-8"))}
    (table,) = [table for table in tables(DOCS / "troubleshooting.md") if table.head[0] == "variable"]
    said = {name for row in table.rows for name in re.findall(r"SIMILE_[A-Z_]+", row[0])}
    assert said == used


# What stands for a value in a message of troubleshooting.md: capitals, an ellipsis, a number, an example.
_PLACEHOLDER = re.compile(r"…|\b[A-Z]{2,}\b|\b[NMD]\b|\b\d+%?|'[a-z][\w:-]*'")
_TELLING = 8  # characters; shorter pieces between two values are in any code


def _texts(file: Path) -> Iterator[str]:
    """Every text in a module, with a NUL where a value is put in."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_error_messages_are_those_of_the_code() -> None:
    said = [t for t in tables(DOCS / "troubleshooting.md") if t.head == ["message", "what to do"]]
    code = "\n".join(text for file in _sources() for text in _texts(file))
    pieces = [p.strip(" ,.;:'()?") for t in said for row in t.rows for p in _PLACEHOLDER.split(row[0])]
    telling = [piece for piece in pieces if len(piece) >= _TELLING]
    assert len(telling) > sum(len(table.rows) for table in said)
    assert [piece for piece in telling if piece not in code] == []


def _package(parts: list[str]) -> str:
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 else parts[0]


def _imported(file: Path) -> set[str]:
    """Our packages that a module imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(_package(node.module.split(".")))
        elif isinstance(node, ast.Import):
            found |= {_package(name.name.split(".")) for name in node.names}
    return found


def test_imports_point_down_the_layers() -> None:
    (table,) = [table for table in tables(DOCS / "architecture.md") if table.head[0] == "layer"]
    layer = {name: at for at, row in enumerate(table.rows) for name in re.findall(r"`(\w+)`", row[1])}
    packages = set()
    for file in _sources():
        own = _package(list(file.relative_to(ROOT).with_suffix("").parts))
        if own != "__init__":
            packages.add(own)
            for other in _imported(file) & layer.keys() - {own}:
                assert layer[other] > layer[own], f"{file.relative_to(ROOT)} imports {other}"
    assert packages == layer.keys()
