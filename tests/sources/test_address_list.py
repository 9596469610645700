"""Lists of addresses and paths."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.sources import image_bytes, read_unit, resolve_source, units_of
from tests.sources.conftest import png, put, refusal, rows_of
from tests.stand_ins.web import WebStandIn

BYTES_OF_TWO = len(png(1)) * 3 // 2  # that two of these pictures have, and one has not


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with WebStandIn({"/a.png": png(1)}) as server:
        yield server.url


def test_addresses_and_paths_in_one_list(web: str, tmp_path: Path) -> None:
    put(tmp_path / "in/b.png", png(2))
    rows = [
        f"1;{web}/a.png?sig=secret",
        "2;b.png",
        "3;",
        f"4;{web}/status/404?sig=secret",
        "5;none.png",
        "6;ftp://x/a",
    ]
    put(tmp_path / "in/list.csv", ("year;url\n" + "\n".join(rows)).encode())
    source = resolve_source(str(tmp_path / "in/list.csv"), url_column="url", allow_private=True)
    found = rows_of(source)
    assert [row["bytes"] for row in found] == [png(1), png(2), None, None, None, None]
    assert [row["unread"] and row["unread"].kind for row in found] == [
        None,
        None,
        "no address",
        "HTTP 404",
        "not there",
        "unknown address",
    ]
    assert found[3]["unread"].reason == f"HTTP 404 from {web}/status/404"
    assert found[0]["payload"] == {"year": 1, "url": f"{web}/a.png"}
    assert {row["file"] for row in found} == {"list.csv"}
    assert (source.kind, source.rows, source.is_remote) == ("list", 6, True)
    assert "secret" not in repr(source) + repr([row["payload"] for row in found])


def test_private_addresses_need_leave(web: str, tmp_path: Path) -> None:
    source = resolve_source(str(put(tmp_path / "l.csv", f"url\n{web}/a.png\n".encode())), url_column="url")
    (row,) = rows_of(source)
    assert row["unread"].kind == "private address" and "see --allow-private" in row["unread"].reason


def test_paths_stay_in_the_folder_of_the_list_unless_links_may_leave_it(tmp_path: Path) -> None:
    put(tmp_path / "secret.png", png(1))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link.png").symlink_to(tmp_path / "secret.png")
    text = f"path\n../secret.png\n{tmp_path}/secret.png\nlink.png\n"
    listed = str(put(tmp_path / "in/l.csv", text.encode()))
    closed = rows_of(resolve_source(listed, url_column="path"))
    assert [row["unread"].kind for row in closed] == ["outside"] * 3
    assert "--follow-links allows it" in closed[0]["unread"].reason
    opened = rows_of(resolve_source(listed, url_column="path", follow_links=True))
    assert [row["bytes"] for row in opened] == [png(1)] * 3


def test_an_object_store_without_settings_is_a_reject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    listed = put(tmp_path / "l.csv", b"url\naz://container/a.png\n")
    (row,) = rows_of(resolve_source(str(listed), url_column="url"))
    assert "AZURE_STORAGE_ACCOUNT_NAME" in row["unread"].reason


def test_a_folder_of_lists_of_several_kinds(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    pq.write_table(pa.table({"url": ["a.png"], "n": [1]}), tmp_path / "1.parquet")
    put(tmp_path / "2.jsonl", b'{"url": "a.png", "n": 2}\n')
    put(tmp_path / "more/3.tsv", b"url\tn\n../a.png\t3\n")
    found = rows_of(resolve_source(str(tmp_path), url_column="url"))
    assert [(row["file"], row["payload"]["n"], row["bytes"]) for row in found] == [
        ("1.parquet", 1, png(1)),
        ("2.jsonl", 2, png(1)),
        ("more/3.tsv", 3, png(1)),
    ]


def test_tables_end_when_their_pictures_have_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.table_rows.BYTES_AT_ONCE", BYTES_OF_TWO)
    monkeypatch.setattr("pipeline.sources.units.most_rows", lambda total: 10**9)  # all in one unit
    with WebStandIn({f"/{n}.png": png(n) for n in range(20)}) as server:
        here, there = server.url, server.url.replace("127.0.0.1", "localhost")
        urls = [f"{here}/slow/{n}.png" if n % 2 else f"{there}/{n}.png" for n in range(20)]
        rows = [*urls[:6], "a.png", "a.png", "a.png", "", *urls[6:]]
        put(tmp_path / "a.png", png(50))
        put(tmp_path / "list.csv", ("url,n\n" + "\n".join(f"{url},1" for url in rows)).encode())
        source = resolve_source(str(tmp_path / "list.csv"), url_column="url", allow_private=True)
        (unit,) = units_of(source)
        tables = list(read_unit(source, unit))
        assert len(server.requests) == len(set(server.requests)) == 20, "none is fetched twice"
    assert [data for table in tables for data in image_bytes(table)] == [
        *(png(n) for n in range(6)),
        *[png(50)] * 3,
        None,
        *(png(n) for n in range(6, 20)),
    ]
    assert [n for table in tables for n in table["row"].to_pylist()] == list(range(24))
    # Two, and at most as many as were on the way when these had come: two a host.
    assert max(table.num_rows for table in tables) <= 8 and len(tables) > 4


def test_tables_of_parquet_files_that_name_pictures_end_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.sources.parquet_rows.BYTES_AT_ONCE", BYTES_OF_TWO)
    for n in range(5):
        put(tmp_path / f"{n}.png", png(n))
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = [{"bytes": None, "path": f"{n}.png"} for n in range(5)]
    images[3] = {"bytes": png(33), "path": "3.png"}
    pq.write_table(pa.table({"image": pa.array(images, kind), "n": list(range(5))}), tmp_path / "x.parquet")
    source = resolve_source(str(tmp_path / "x.parquet"))
    (unit,) = units_of(source)
    tables = list(read_unit(source, unit))
    assert [table["n"].to_pylist() for table in tables] == [[0, 1], [2, 3], [4]]
    assert [table["row"].to_pylist() for table in tables] == [[0, 1], [2, 3], [4]]
    found = [data for table in tables for data in image_bytes(table)]
    assert found == [png(0), png(1), png(2), png(33), png(4)]


def test_a_row_that_is_inserted_renews_one_unit(tmp_path: Path) -> None:
    rows = [f"pics/{n:05}.png,{n}" for n in range(2_000)]

    def names(lines: list[str]) -> list[str]:
        listed = put(tmp_path / "list.csv", "\n".join(["url,n", *lines]).encode())
        return [unit.name for unit in units_of(resolve_source(str(listed), url_column="url"))]

    before = names(rows)
    assert len(before) > 10
    for at in (0, 1_000, 2_000):
        after = names([*rows[:at], "pics/new.png,7", *rows[at:]])
        assert len(set(after) - set(before)) <= 2 and len(after) == len(set(after))  # two where it is a cut
    edited = names([*rows[:-1], "pics/01999.png,0"])
    assert len(set(edited) - set(before)) == 1


def test_units_of_the_same_rows_have_names_of_their_own(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    listed = put(tmp_path / "list.csv", b"url,n\n" + b"a.png,1\n" * 300)
    units = units_of(resolve_source(str(listed), url_column="url"))
    assert len(units) == len({unit.name for unit in units}) == 3


def test_the_column_alone_and_columns_of_any_name(tmp_path: Path) -> None:
    put(tmp_path / "a.png", png(1))
    alone = resolve_source(str(put(tmp_path / "l.csv", b"url\na.png\na.png\n")), url_column="url")
    assert [row["payload"] for row in rows_of(alone)] == [{"url": "a.png"}] * 2
    listed = put(tmp_path / "m.csv", b"image,file,unread,row\na.png,x,y,z\n")
    (row,) = rows_of(resolve_source(str(listed), url_column="image"))
    assert row["payload"] == {"file": "x", "unread": "y", "row": "z", "image": "a.png"}


def test_a_list_without_its_column_says_which_there_are(tmp_path: Path) -> None:
    listed = put(tmp_path / "l.csv", b"id,link\n1,a.png\n")
    said = refusal(listed)
    assert "is a table with the columns id, link; name the one" in said and "--url-column url" in said
    assert "'l.csv' has no column 'url'; there are: id, link" in refusal(listed, url_column="url")
    pq.write_table(pa.table({"link": ["a.png"]}), tmp_path / "l.parquet")
    assert "is a table with the columns link; name the one" in refusal(tmp_path / "l.parquet")
    assert "has no rows" in refusal(put(tmp_path / "n.csv", b"url\n"), url_column="url")
    assert "has no split 'test'; there are: train" in refusal(listed, url_column="link", split="test")


def test_a_parquet_file_with_images_is_a_source(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array([{"bytes": png(1), "path": None}], kind), "n": [7]})
    pq.write_table(table, tmp_path / "any name.parquet")
    source = resolve_source(str(tmp_path / "any name.parquet"))
    assert (source.kind, source.rows, source.payload_columns) == ("parquet", 1, ("n",))
    assert source.files == (str(tmp_path / "any name.parquet"),)
