"""Uploads: pictures only, so many, so large and so long."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from page.disk_budget import Allowance, DiskBudget
from page.uploads import kind_of
from pipeline.images import FORMATS
from tests.images.made_images import encoded


def send(client: Any, *files: tuple[str, bytes], **headers: str) -> Any:
    return client.post("/gradio_api/upload", files=[("files", each) for each in files], headers=headers)


PNG = encoded(Image.new("RGB", (8, 8), "red"), "PNG")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_bytes(kind: str) -> None:
    endings = {"JPEG": "jpg", "TIFF": "tif", "HEIF": "heic"}
    assert kind_of(encoded(Image.new("RGB", (8, 8)), kind)[:64]) == endings.get(kind, kind.lower())


def test_what_is_no_picture_is_refused_whatever_its_name(strangers: Any, tmp_path: Path) -> None:
    client, _ = strangers()
    for data in (
        b"<html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"PK\3\4",
        b"BMW",
        b"",
    ):
        refused = send(client, ("photo.png", data))
        assert refused.status_code == 415 and "isn't a picture we can open" in refused.text
        assert send(client, ("good.png", PNG), ("bad.png", data)).status_code == 415
    assert not [file for file in (tmp_path / "files").rglob("*") if file.is_file()]


def test_a_picture_is_kept_under_the_ending_of_its_kind(strangers: Any) -> None:
    client, _ = strangers()
    sent = send(client, ("../../page.html", PNG)).json()[0]
    assert Path(sent).name == "picture.png"
    assert client.get(f"/gradio_api/file={sent}").headers["content-type"] == "image/png"


def test_uploads_are_counted(strangers: Any) -> None:
    client, _ = strangers(limit=6)  # 30 at once for an address
    codes = [send(client, ("a.png", PNG)).status_code for _ in range(31)]
    assert codes == [200] * 30 + [429]


def test_many_files_in_one_request_count_as_many(strangers: Any, tmp_path: Path) -> None:
    client, _ = strangers(limit=6)
    many = [(f"{n}.png", PNG) for n in range(20)]
    assert send(client, *many).status_code == 200
    assert send(client, *many).status_code == 429
    assert len(list((tmp_path / "files").rglob("*.png"))) == 20


def test_the_same_picture_twice_in_one_request_is_one_file(strangers: Any) -> None:
    client, _ = strangers()
    first, second = send(client, ("a.png", PNG), ("a.png", PNG)).json()
    assert first == second and Path(first).read_bytes() == PNG


def test_an_upload_needs_the_login(strangers: Any) -> None:
    client, _ = strangers(auth=[("anna", "b")])
    assert send(client, ("a.png", PNG)).status_code == 401
    assert client.post("/login", data={"username": "anna", "password": "b"}).status_code == 200
    assert send(client, ("a.png", PNG)).status_code == 200


@pytest.fixture
def budget(tmp_path: Path) -> tuple[DiskBudget, list[float]]:
    now = [time.time()]
    allowed = Allowance(total=100, visitor=50, shared=80, exports=30, files=4, seconds=1000)
    return DiskBudget(tmp_path, allowed, clock=lambda: now[0]), now


def uploaded(budget: DiskBudget, name: str, size: int, visitor: str, age: float = 0) -> Path:
    file = budget.folder / "uploads" / name / "picture.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(size))
    os.utime(file, (time.time() - 1000 + age,) * 2)
    budget.keep(file, visitor)
    return file


def left(budget: DiskBudget) -> set[str]:
    return {file.parent.name for file in budget.folder.glob("uploads/*/picture.png")}


def test_who_sends_too_much_loses_his_own_and_what_is_searched_from_last(
    budget: tuple[DiskBudget, list[float]],
) -> None:
    disk, _ = budget
    uploaded(disk, "anna", 40, "192.0.2.1")
    used = uploaded(disk, "used", 20, "192.0.2.2", age=1)
    os.utime(used)  # as reading it does
    for number in range(3):
        uploaded(disk, str(number), 20, "192.0.2.2", age=2 + number)
    assert left(disk) == {"anna", "used", "2"}
    for number in range(9):
        uploaded(disk, f"small{number}", 1, "192.0.2.3", age=number)
    assert left(disk) == {"anna", "used", "2", *(f"small{n}" for n in range(5, 9))}, "four files a visitor"


def test_what_has_just_come_stays_until_it_can_be_searched_from(
    budget: tuple[DiskBudget, list[float]],
) -> None:
    disk, now = budget
    for number in range(4):
        os.utime(uploaded(disk, f"used{number}", 1, "192.0.2.1"), (now[0] + number,) * 2)
    now[0] += 100
    uploaded(disk, "new", 1, "192.0.2.1", age=1100)
    assert left(disk) == {"used1", "used2", "used3", "new"}, "though nobody has searched from it yet"
    now[0] += 31
    uploaded(disk, "newer", 1, "192.0.2.1", age=1131)
    assert left(disk) == {"used1", "used2", "used3", "newer"}, "half a minute later it goes first"


def test_those_behind_a_tunnel_together_have_more(tmp_path: Path) -> None:
    disk = DiskBudget(tmp_path, Allowance(files=2, shared_files=3))
    for number in range(4):
        uploaded(disk, f"a{number}", 1, "192.0.2.1", age=number)
        uploaded(disk, f"here{number}", 1, "here", age=number)
    assert left(disk) == {"a2", "a3", "here1", "here2", "here3"}


def test_all_together_have_a_limit(budget: tuple[DiskBudget, list[float]]) -> None:
    disk, _ = budget
    for number in range(3):
        uploaded(disk, f"v{number}", 30, f"192.0.2.{number}")
    uploaded(disk, "more", 20, "192.0.2.0", age=5)
    assert left(disk) == {"v1", "v2", "more"}, "it is taken from who has most"


def test_old_and_broken_off_uploads_and_exports_are_swept(budget: tuple[DiskBudget, list[float]]) -> None:
    disk, now = budget
    uploaded(disk, "old", 10, "192.0.2.1")
    now[0] += 600
    uploaded(disk, "new", 10, "192.0.2.1")
    broken = disk.folder / "arriving/token/tmp1"
    exports = [disk.folder / f"hash{n}/things.csv" for n in range(1, 4)]
    for place, file in enumerate((broken, *exports)):
        file.parent.mkdir(parents=True)
        file.write_bytes(bytes(20))
        os.utime(file, (now[0] + place,) * 2)
    disk.sweep()
    assert left(disk) == {"old", "new"} and broken.exists()
    assert [file.exists() for file in exports] == [False, False, True]
    now[0] += 2000
    for file in (broken.parent, broken):
        os.utime(file, (now[0] - 1000,) * 2)
    disk.sweep()
    assert left(disk) == set() and not broken.exists() and not exports[2].exists()
