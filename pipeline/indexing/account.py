"""Where every row of the source went, and what it took."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.cluster.failures import explained
from pipeline.cluster.reservation import peak_memory
from pipeline.indexing.embed import ActorReport
from pipeline.progress import begin
from pipeline.staging.rejects import RejectLog

__all__ = ["Account", "said_left_out"]


# Pictures of one single colour that are worth a warning: a share of all, and some at least.
_MANY, _FEW = 0.2, 5


@dataclass
class Account:
    """source = written + skipped + rejected, and listed = source + left out.

    Attributes:
        source: rows of the source, repeats included.
        left_out: why -> files and rows of the source's address that are not among these rows.
        written: points written by this run, new or changed.
        skipped: rows that needed nothing: unchanged points, repeats of a picture, points deleted on purpose.
        rejected: rows that cannot become points.
        embedded: pictures that went through the networks in this run, without what a killed actor could not
            tell any more.
        kept, removed: points of the live version that the source does not have (any more).
        single_colour: pictures embedded in this run in which there is nothing but one colour.
        stages, processor: seconds a stage by the clock, and of processor time in this process.
        start_up: seconds of a stage until the first of its workers was at work, with its networks loaded.
    """

    collection: str
    source: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    written: int = 0
    skipped: int = 0
    rejected: int = 0
    version: str = ""
    embedded: int = 0
    kept: int = 0
    removed: int = 0
    single_colour: int = 0
    encoders: list[str] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    start_up: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)  # handled by each stage
    staged_bytes: int = 0
    loaded_bytes: int = 0
    actors: dict[str, ActorReport] = field(default_factory=dict)
    rejects: RejectLog = field(default_factory=RejectLog)

    @property
    def listed(self) -> int:
        """All that was found at the source's address."""
        return self.source + sum(self.left_out.values())

    @property
    def balanced(self) -> bool:
        """Whether source = written + skipped + rejected."""
        return self.source == self.written + self.skipped + self.rejected

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to a stage, which is where the job is now.

        Raises:
            SimileError: what stopped it.
        """
        begin(stage)
        clocks = ((self.stages, time.perf_counter), (self.processor, time.process_time))
        starts = [clock() for _, clock in clocks]
        with explained(stage):
            yield
        for (seconds, clock), start in zip(clocks, starts, strict=True):
            seconds[stage] = round(seconds.get(stage, 0.0) + clock() - start, 2)

    def reasons(self) -> dict[str, int]:
        """Every kind of reject, as `stage: kind` -> how many rows, the most frequent kinds first."""
        return {name: group.count for name, group in self.rejects.groups.items()}

    def examples(self) -> dict[str, list[dict[str, str]]]:
        """Kind of reject -> place and reason of some of them."""
        return {
            name: [{"place": reject.place, "reason": reject.reason} for reject in group.examples]
            for name, group in self.rejects.groups.items()
        }

    def rate(self, stage: str) -> float:
        """Rows a second of a stage; 0 where it had nothing to do."""
        seconds, rows = self.stages.get(stage, 0.0), self.rows.get(stage, 0)
        return round(rows / seconds, 1) if seconds and rows else 0.0

    def summary(self) -> dict[str, Any]:
        """The JSON line at the end of a job. Sizes in bytes, times in seconds."""
        return {
            "collection": self.collection,
            "version": self.version,
            "listed": self.listed,
            "left_out": self.left_out,
            "source": self.source,
            "written": self.written,
            "skipped": self.skipped,
            "rejected": self.rejected,
            "seconds": round(sum(self.stages.values()), 2),
            "images_per_second": self.rate("embed"),
            "encoders": self.encoders,
            "embedded": self.embedded,
            "kept": self.kept,
            "removed": self.removed,
            "single_colour": self.single_colour,
            "stages": {
                stage: {
                    "seconds": seconds,
                    "processor": self.processor.get(stage, 0.0),
                    "start_up": round(self.start_up.get(stage, 0.0), 2),
                    "rows": self.rows.get(stage, 0),
                    "rows_per_second": self.rate(stage),
                }
                for stage, seconds in self.stages.items()
            },
            "actors": [asdict(actor) for actor in self.actors.values()],
            "peak_memory": {
                "driver": peak_memory(),
                "actor": max((actor.peak_memory for actor in self.actors.values()), default=0),
            },
            "bytes": {"staged": self.staged_bytes, "loaded": self.loaded_bytes},
            "rejects": self.reasons(),
            "reject_examples": self.examples(),
        }

    def table(self) -> str:
        """The same for people."""
        report = self.summary()
        lines = [f"{'stage':<10}{'seconds':>10}{'start-up':>10}{'rows':>10}{'rows/s':>10}"]
        for stage, facts in report["stages"].items():
            lines.append(
                f"{stage:<10}{facts['seconds']:>10.1f}{facts['start_up']:>10.1f}{facts['rows']:>10,}"
                f"{facts['rows_per_second']:>10,.1f}"
            )
        for actor in report["actors"]:
            share = f"{actor['rows']:,} rows, {actor['peak_memory'] / 1e6:,.0f} MB at most"
            lines.append(f"actor on {actor['host']} ({actor['device']}): {share}")
        lines.append(f"driver: {report['peak_memory']['driver'] / 1e6:,.0f} MB at most")
        staged, loaded = report["bytes"]["staged"] / 1e6, report["bytes"]["loaded"] / 1e6
        lines.append(f"written: {staged:,.1f} MB staged, {loaded:,.1f} MB to the store")
        for kind, group in self.rejects.groups.items():
            first = group.examples[0]
            lines.append(f"rejected {group.count:,} × {kind}, such as {first.place}: {first.reason}")
        if self.left_out:
            lines.append(said_left_out(self.source, self.left_out))
        lines.append(
            f"{self.source:,} rows = {self.written:,} written + {self.skipped:,} skipped + "
            f"{self.rejected:,} rejected; {self.kept:,} kept beside them, {self.removed:,} removed"
        )
        if self.single_colour >= max(_FEW, _MANY * self.embedded):
            lines.append(
                f"warning: {self.single_colour:,} of {self.embedded:,} embedded pictures have one single "
                "colour; look at some of them in the source"
            )
        return "\n".join(lines)


def said_left_out(source: int, left_out: Mapping[str, int]) -> str:
    """The equation of a listing.

    >>> said_left_out(24, {".xmp": 2, ".psd": 1})
    'listed 27 = 24 rows + 3 left out (2 .xmp, 1 .psd)'
    """
    count = sum(left_out.values())
    kinds = ", ".join(f"{many:,} {kind}" for kind, many in left_out.items())
    return f"listed {source + count:,} = {source:,} rows + {count:,} left out ({kinds})"
