"""Strict mode of a server's collections: requests are cut to what it allows."""

import logging
import time
from collections.abc import Iterator

from qdrant_client import models

from pipeline.errors import SimileError
from pipeline.store.server_collections import look_at
from pipeline.store.servers import Servers

__all__ = ["FREE", "Strictness"]

log = logging.getLogger("simile")

FREE = models.StrictModeConfig(enabled=False)  # of a collection that forbids nothing
_FRESH_SECONDS = 60.0  # somebody may change the settings while a page runs


class Strictness:
    """What each collection of a server allows. Read with the collection's information, once a minute."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._known: dict[str, tuple[float, models.StrictModeConfig]] = {}
        self._said: set[tuple[str, str]] = set()

    def of(self, version: str) -> models.StrictModeConfig:
        """Its strict mode; `FREE` where it has none or does not exist."""
        read, strict = self._known.get(version, (0.0, FREE))
        if read and time.monotonic() - read < _FRESH_SECONDS:
            return strict
        info = look_at(self._servers, version)
        return FREE if info is None else self.learn(version, info)

    def learn(self, version: str, info: models.CollectionInfo) -> models.StrictModeConfig:
        """Keep what the information about a collection says."""
        told = info.config.strict_mode_config
        strict = models.StrictModeConfig.model_validate(told.model_dump()) if told and told.enabled else FREE
        self._known[version] = (time.monotonic(), strict)
        return strict

    def forget(self, version: str) -> None:
        """It was dropped."""
        self._known.pop(version, None)

    def allows_exact(self, version: str) -> bool:
        """Whether exact searches and facets may be asked for."""
        return self.of(version).search_allow_exact is not False

    def most_ids(self, version: str) -> int | None:
        """How many ids a filter may name beside its other conditions; None: as many as wanted."""
        strict = self.of(version)
        return 0 if strict.filter_max_conditions is not None else strict.condition_max_size

    def params(self, version: str, wanted: models.SearchParams | None) -> models.SearchParams | None:
        """The parameters of a search, no wider than allowed.

        Raises:
            SimileError: an exact search, where none is allowed.
        """
        strict = self.of(version)
        if wanted is None or strict is FREE:
            return wanted
        if wanted.exact and strict.search_allow_exact is False:
            raise SimileError(
                f"The strict mode of '{version}' on the Qdrant server at {self._servers.shown} forbids "
                "exact search (search_allow_exact: false); search without it, or change that setting."
            )
        changes: dict[str, object] = {}
        ef, most_ef = wanted.hnsw_ef, strict.search_max_hnsw_ef
        if ef and most_ef and ef > most_ef:
            self._say(version, "search_max_hnsw_ef", most_ef, "searches walk the graph with fewer candidates")
            changes["hnsw_ef"] = most_ef
        codes, most = wanted.quantization, strict.search_max_oversampling
        if codes and codes.oversampling and most and codes.oversampling > most:
            self._say(version, "search_max_oversampling", most, "searches rescore fewer candidates")
            changes["quantization"] = codes.model_copy(update={"oversampling": most})
        return wanted.model_copy(update=changes)

    def pages(self, version: str, limit: int) -> Iterator[tuple[int, int]]:
        """Offset and limit of the requests that together ask for `limit` results."""
        most = self.of(version).max_query_limit or limit
        for offset in range(0, limit, most):
            yield offset, min(most, limit - offset)

    def values(self, version: str, limit: int) -> int:
        """How many values a facet may ask for; they do not come in pages."""
        most = self.of(version).max_query_limit or limit
        if most < limit:
            self._say(version, "max_query_limit", most, "a filter shows fewer values")
        return min(most, limit)

    def _say(self, version: str, setting: str, value: float, effect: str) -> None:
        if (version, setting) in self._said:
            return
        self._said.add((version, setting))
        log.warning(
            "The strict mode of '%s' has %s: %g, so %s than Simile asks for; docs/cluster.md has the table.",
            version, setting, value, effect,
        )  # fmt: skip
