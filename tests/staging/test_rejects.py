"""Rejects are counted by kind, whatever numbers and names their reasons hold; older tables are read too."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.errors import ImageError
from pipeline.images import decode
from pipeline.indexing.account import Account
from pipeline.indexing.decode_and_embed import embed_group
from pipeline.staging.rejects import Reject, RejectLog, grouped, read_rejects


def logged(rejects: list[Reject]) -> RejectLog:
    """In two portions, as units bring them."""
    log = RejectLog()
    log.add(rejects[:7])
    log.add(rejects[7:])
    return log


def png(side: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def broken() -> list[bytes]:
    """Forty pictures that are broken in four ways, each with a size of its own in its reason."""
    many = []
    for n in range(10):
        many += [b"", b"x" * (20 + n), png(40 + n)[: 900 + n], png(8)[:40] + b"\xff" * (20 + n)]
    return many


def test_forty_rejects_are_of_a_few_kinds():
    rows = [(str(n), 1, data) for n, data in enumerate(broken())]
    rejects = embed_group({}, 64, rows).broken
    account = Account("birds", rejects=logged(rejects))
    assert sum(account.reasons().values()) == len(rejects) == 40
    assert len({reject.reason for reject in rejects}) > 10 and len(account.reasons()) <= 5
    assert account.reasons()["decode: empty file"] == 10
    assert account.reasons()["decode: not a readable image"] == 20
    assert list(account.summary()["rejects"]) == list(account.summary()["reject_examples"])
    assert all(len(shown) == 3 for name, shown in account.examples().items() if account.reasons()[name] > 2)


def test_a_kind_holds_no_number():
    for data in broken():
        with pytest.raises(ImageError) as raised:
            decode(data)
        assert raised.value.kind != "not usable" and not any(c.isdigit() for c in raised.value.kind)


def test_all_kinds_are_told():
    rejects = [
        Reject(None, "decode", "x", kind=f"kind {chr(97 + n)}") for n in range(26) for _ in range(n + 1)
    ]
    reasons = Account("birds", rejects=logged(rejects)).reasons()
    assert len(reasons) == 26 and next(iter(reasons.items())) == ("decode: kind z", 26)


def test_reasons_of_older_tables_are_grouped_without_their_particulars():
    old = [
        Reject("a", "decode", "these 1,234 bytes are not a readable image; expected JPEG"),
        Reject("b", "decode", "these 99 bytes are not a readable image; expected JPEG"),
        Reject("c", "embed", "pypi:efficientnet-lite0 gives NaN or infinity"),
        Reject("d", "embed", "hf:org/name gives NaN or infinity"),
        Reject("e", "decode", "ValueError: no column 'a b'"),
        Reject("f", "decode", "ValueError: no column 'c'"),
    ]
    assert [group.count for group in grouped(old).values()] == [2, 2, 2]


def test_tables_of_earlier_versions_are_read(tmp_path):
    columns = {name: ["x"] for name in ("id", "place", "stage", "reason", "first_bytes")}
    (tmp_path / "rejects").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "rejects/old.parquet")
    assert read_rejects(str(tmp_path), "old") == [Reject("x", "x", "x", "x", "x")]
    new = [Reject(None, "plan", "no", kind="not readable"), Reject("y", "embed", "no", kind="k")]
    logged(new).write(str(tmp_path), "new")
    assert read_rejects(str(tmp_path), "new") == new
