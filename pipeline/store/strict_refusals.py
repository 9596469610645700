"""What a server's strict mode refuses, and the setting that it does so by."""

import re

__all__ = ["forbidden"]

# What the server says -> the setting that it means, and what cannot be done because of it.
_REFUSALS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(words, re.IGNORECASE), setting, feature)
    for words, setting, feature in (
        (r"index required but not found", "unindexed_filtering_*", "filters of fields without an index"),
        (r"exact search disabled|vector indexing is disabled", "search_allow_exact", "exact search"),
        (r'limit exceeded.*"hnsw_ef"', "search_max_hnsw_ef", "searches as wide as this one"),
        (r'limit exceeded.*"oversampling"', "search_max_oversampling", "as much oversampling"),
        (r'limit exceeded.*"[^"]*timeout', "max_timeout", "requests that take as long"),
        (r'limit exceeded.*"[^"]*condition', "condition_max_size", "filters by as many values"),
        (r'limit exceeded.*"[^"]*filter', "filter_max_conditions", "filters of as many conditions"),
        (r'limit exceeded.*"[^"]*upsert', "upsert_max_batchsize", "writing as many points at once"),
        (r'limit exceeded.*"[^"]*batch', "search_max_batchsize", "as many searches at once"),
        (r'limit exceeded.*"limit"', "max_query_limit", "as many results"),
        (r"max.*payload index", "max_payload_index_count", "as many filter fields"),
        (r"max.*vector storage size", "max_collection_vector_size_bytes", "more vectors"),
        (r"max.*payload storage size", "max_collection_payload_size_bytes", "more thumbnails and fields"),
        (r"max.*points? (count|limit)", "max_points_count", "more pictures"),
        (r"resident memory", "max_resident_memory_percent", "writing while RAM is that short"),
    )
)


def forbidden(reason: str) -> str | None:
    """What strict mode forbids, and by which setting, from the server's reason; None: it is no such refusal.

    >>> forbidden('Limit exceeded 9 > 8 for "upsert limit". Help: Reduce it.')
    'writing as many points at once (upsert_max_batchsize)'
    """
    for words, setting, feature in _REFUSALS:
        if words.search(reason):
            return f"{feature} ({setting})"
    return None
