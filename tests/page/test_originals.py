"""Originals: a visitor names a point and gets the file that it was made from, and no other file."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from page.originals import find_original, original_route, original_url
from page.rate_limit import RateLimit
from page.route_guard import status_of
from pipeline.errors import SimileError
from pipeline.points import RESERVED, point_id
from pipeline.search import Hit

PICTURE = b"\xff\xd8 a picture"
POINT = point_id("holidays", hashlib.sha256(PICTURE).hexdigest())


def collection(*sources: Path | str, places: tuple[str, ...]) -> Any:
    def get(point: str) -> Hit:
        if point != POINT:
            raise SimileError("there is no such point")
        return Hit(point, 1.0, 0.0, {RESERVED: {"places": list(places)}}, b"")

    first, *added = map(str, sources)
    return SimpleNamespace(
        name="holidays", manifest=SimpleNamespace(source=first, added=tuple(added)), get=get
    )


@pytest.mark.parametrize("name", ["in/a.jpg", "Mu\udcf1oz.jpg", "h\ni:0.jpg"])
def test_the_file_of_a_point_is_found_in_any_of_its_sources(tmp_path: Path, name: str) -> None:
    file = tmp_path / "added" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(PICTURE)
    place = name.encode(errors="surrogateescape").decode(errors="backslashreplace")
    found = collection("org/name", tmp_path / "added", places=("gone.jpg:0", f"{place}:0"))
    original = find_original(found, POINT)
    assert original is not None
    with original:
        assert (Path(original.name), original.read()) == (file, PICTURE)


@pytest.mark.parametrize(
    "place", ["secret.jpg:0", "../secret.jpg:0", "/secret.jpg:0", "a.txt:0", "\0.jpg:0", ""]
)
def test_no_other_file_is_given_whatever_a_place_says(tmp_path: Path, place: str) -> None:
    (tmp_path / "in").mkdir()
    for secret in (tmp_path / "secret.jpg", tmp_path / "in/secret.jpg"):
        secret.write_bytes(b"something else")
    (tmp_path / "in/a.txt").write_bytes(PICTURE)
    assert find_original(collection(tmp_path / "in", places=(place,)), POINT) is None
    assert find_original(collection("org/name", places=("in/a.jpg:0",)), POINT) is None


class _Library:
    originals = True

    def __init__(self, found: Any) -> None:
        self.found = found

    def open(self, name: str) -> Any:
        if name != "holidays":
            raise SimileError("there is no such collection")
        return self.found


@pytest.fixture
def visitor(tmp_path: Path) -> TestClient:
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    library: Any = _Library(collection(tmp_path, places=("a.jpg:0",)))
    app: Any = Starlette(routes=[original_route(library, RateLimit(4))])
    app.auth, app.tokens, app.cookie_id = None, {"token": "me"}, "1"
    return TestClient(app)


def test_the_route_answers_with_the_picture(visitor: TestClient) -> None:
    found = visitor.get(f"/original/holidays/{POINT}")
    assert (found.status_code, found.content) == (200, PICTURE)
    assert (found.headers["content-type"], found.headers["x-content-type-options"]) == (
        "image/jpeg",
        "nosniff",
    )
    other = POINT.replace(POINT[0], "f" if POINT[0] != "f" else "e", 1)
    assert visitor.get(f"/original/holidays/{other}").status_code == 404
    assert visitor.get(f"/original/nothing/{POINT}").status_code == 404


def test_originals_pass_through_the_guards_of_the_page(strangers: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PICTURE)
    library: Any = _Library(collection(tmp_path, places=("a.jpg:0",)))
    client, _ = strangers(routes=[original_route(library, RateLimit(4))])
    path = f"/original/holidays/{POINT}"
    found = client.get(path)
    assert found.content == PICTURE and "sandbox" in found.headers["content-security-policy"]
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 400
    assert client.get(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post(path).status_code == 404


def test_a_page_with_a_login_asks_for_it(visitor: TestClient) -> None:
    visitor.app.auth = [("me", "secret")]
    assert visitor.get(f"/original/holidays/{POINT}").status_code == 401
    visitor.cookies.set("access-token-unsecure-1", "forged")
    assert visitor.get(f"/original/holidays/{POINT}").status_code == 401
    visitor.cookies.set("access-token-unsecure-1", "token")
    assert visitor.get(f"/original/holidays/{POINT}").status_code == 200


def test_each_original_counts_as_a_search_of_its_address(visitor: TestClient) -> None:
    answers = [visitor.get(f"/original/holidays/{POINT}") for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert "search again in" in answers[-1].text


def test_the_guard_lets_points_through_and_no_paths() -> None:
    assert status_of("GET", f"/original/holidays/{POINT}") == 200
    assert status_of("GET", f"/original/holidays/{POINT[::-1]}") == 404
    for path in ("/original/holidays/../../etc/passwd", "/original/holidays/a.jpg", f"/original/{POINT}"):
        assert status_of("GET", path) == 404
    assert status_of("POST", f"/original/holidays/{POINT}") == 404


def test_a_link_is_offered_for_files_only(tmp_path: Path) -> None:
    library: Any = _Library(None)
    assert original_url(library, "holidays", POINT, "in/a.jpg:0") == f"original/holidays/{POINT}"
    assert original_url(library, "holidays", POINT, "data/train.parquet:3") is None
    library.originals = False
    assert original_url(library, "holidays", POINT, "in/a.jpg:0") is None
