"""Which rows were really put through a network: workers write each down before they begin with it.

Acknowledgements would not do: those of a killed actor never come. A picture that holds `DEADLY` kills them,
as one would that crashes a codec.
"""

import json
import os
import signal
from collections import Counter
from collections.abc import Set
from pathlib import Path

__all__ = ["DEADLY", "begun", "by_process", "install", "variables"]

DEADLY = b"kill whoever decodes this"
_FOLDER = "SIMILE_CHAOS_JOURNAL"


def variables(folder: Path) -> dict[str, str]:
    """Environment of a driver whose workers keep a journal, given as `ray job submit` gives it.

    Workers also get the keys of this process to an object store, as the nodes of a cluster have them.
    """
    folder.mkdir(exist_ok=True)
    # The hook is looked for before workers know the driver's folder.
    known = {_FOLDER: str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    known |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    environment = {"env_vars": known, "worker_process_setup_hook": f"{__name__}.install"}
    return {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": environment})}


def install() -> None:
    """In each worker, before it imports what embeds."""
    from pipeline.indexing import decode_and_embed

    embed = decode_and_embed.embed_group

    def noted(encoders, decode_side, rows):  # type: ignore[no-untyped-def]
        with (Path(os.environ[_FOLDER]) / str(os.getpid())).open("a") as journal:
            journal.write("".join(f"{point}\n" for point, *_ in rows))
        if any(DEADLY in bytes(data or b"") for *_, data in rows):
            os.kill(os.getpid(), signal.SIGKILL)
        return embed(encoders, decode_side, rows)

    decode_and_embed.embed_group = noted


def begun(folder: Path) -> Counter[str]:
    """How often each row was begun with, in all jobs that kept their journal here."""
    return Counter(point for journal in folder.iterdir() for point in journal.read_text().split())


def by_process(folder: Path, points: Set[str]) -> dict[str, int]:
    """How many of these rows each process began with."""
    each = {journal.name: journal.read_text().split() for journal in folder.iterdir()}
    counts = {process: sum(point in points for point in rows) for process, rows in each.items()}
    return {process: count for process, count in counts.items() if count}
