"""Pictures of hits: an address names a point of a collection, and a browser keeps what it gets for good."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from page.hit_pictures import HitPictures, stored_picture_url
from page.picture_route import picture_route
from page.request_log import template_of
from page.route_guard import status_of
from page.security_headers import SecurityHeaders
from pipeline.errors import SimileError
from pipeline.search import Hit

JPEG = b"\xff\xd8 a picture"
POINT, OTHER, ODD = (f"00000000-0000-5000-8000-00000000000{n}" for n in range(3))


class _Library:
    """One collection, which counts how often its store is asked."""

    def __init__(self) -> None:
        self.pictures, self.asked = HitPictures(), 0

    def open(self, name: str) -> Any:
        if name != "things":
            raise SimileError("there is no such collection")

        def get_many(points: list[str]) -> list[Hit]:
            self.asked += 1
            stored = {POINT: (JPEG, "image/jpeg"), ODD: (b"<svg onload='x'/>", "image/svg+xml")}
            return [hit(one, *stored[one]) for one in points if one in stored]

        return SimpleNamespace(name=name, get_many=get_many)


def hit(point: str, thumbnail: bytes, kind: str = "image/jpeg") -> Hit:
    return Hit(point, 1.0, 0.0, {}, thumbnail, kind)


def client(library: Any, auth: Any = None) -> TestClient:
    app = Starlette(routes=[picture_route(library)], middleware=[Middleware(SecurityHeaders)])
    app.auth, app.tokens, app.cookie_id = auth, {"token"}, "x"  # type: ignore[attr-defined]
    return TestClient(app)


def test_a_picture_comes_from_the_store_once_and_a_browser_keeps_it() -> None:
    library = _Library()
    visitor = client(library)
    for _ in range(2):
        answer = visitor.get(f"/{stored_picture_url('things', POINT)}")
        assert (answer.status_code, answer.content) == (200, JPEG)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert "sandbox" in answer.headers["content-security-policy"]
    assert library.asked == 1


def test_the_picture_of_a_hit_is_not_read_again() -> None:
    library = _Library()
    library.pictures.keep("things", hit(OTHER, JPEG))
    assert client(library).get(f"/picture/things/{OTHER}").content == JPEG and library.asked == 0


@pytest.mark.parametrize("path", [f"things/{OTHER}", f"others/{POINT}", f"things/{ODD}"])
def test_no_other_point_no_other_collection_and_no_other_kind_of_file_is_sent(path: str) -> None:
    assert client(_Library()).get(f"/picture/{path}").status_code == 404


def test_where_visitors_log_in_pictures_ask_for_their_login() -> None:
    library = _Library()
    library.pictures.keep("things", hit(POINT, JPEG))
    visitor = client(library, auth={"anna": "secret"})
    assert visitor.get(f"/picture/things/{POINT}").status_code == 401
    visitor.cookies.set("access-token-x", "token")
    assert visitor.get(f"/picture/things/{POINT}").status_code == 200


def test_kept_pictures_are_bounded_and_forgotten() -> None:
    pictures = HitPictures(most=100)
    for n in range(9):
        pictures.keep("things", hit(f"id{n}", bytes(30)))
    assert [n for n in range(9) if pictures.kept("things", f"id{n}")] == [6, 7, 8]
    pictures.keep("things", hit("large", bytes(101)))
    assert pictures.kept("things", "large") is None
    brief = HitPictures(seconds=0.0)
    brief.keep("things", hit("id", JPEG))
    assert brief.kept("things", "id") is None


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/picture/things/{POINT}", 200),
        ("/picture/things/../../etc/passwd", 404),
        (f"/picture/Things/{POINT}", 404),
        ("/picture/things/1", 404),
    ],
)
def test_only_addresses_of_points_reach_the_route(path: str, status: int) -> None:
    assert status_of("GET", path) == status
    assert template_of(path) == ("/picture/*/*" if path.count("/") == 3 else "other")
