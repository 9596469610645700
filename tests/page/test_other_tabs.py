"""Recommend, Compare and Collections in Chromium."""

import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.locks.lock import writer_lock
from pipeline.progress import progress
from tests.page.conftest import LIMIT, hit_pictures, status

pytestmark = pytest.mark.browser


@pytest.mark.long
def test_works_by_others_follow_likes_and_say_why(open_page: Any) -> None:
    page = open_page()
    page.get_by_role("tab", name="Recommend").click()
    works = page.locator("#works-hits .card")
    works.first.wait_for()
    works.nth(1).hover()
    works.nth(1).locator("[data-action=like]").click()
    status(page, "not the same artist · at most 2 per artist", "#recommend-status")
    found = page.locator("#recommend-hits .card")
    reasons = found.locator(".reason").all_inner_texts()
    artist = reasons[0].removeprefix("like ").rsplit(" (", 1)[0]
    assert artist and all(reason.startswith(f"like {artist} (") for reason in reasons)
    artists = [label.split(" · ")[0] for label in found.locator(".label").all_inner_texts()]
    assert artist not in artists and max(map(artists.count, artists)) <= 2
    before = hit_pictures(page, "#recommend-hits")
    found.first.hover()
    found.first.locator("[data-action=dislike]").click()
    page.locator("#recommend-query .chips.dislike img").wait_for()
    page.locator("#recommend-hits .reason", has_text="not like").first.wait_for()
    assert before[0] not in hit_pictures(page, "#recommend-hits")
    page.locator("#others").get_by_text("Artist").click()
    page.locator("#recommend-status", has_not_text="not the same artist").wait_for()


def test_one_query_two_ways(open_page: Any) -> None:
    page = open_page()
    page.get_by_role("tab", name="Compare").click()
    status(page, "Search for something first", "#compare-status")
    page.get_by_role("tab", name="Search").click()
    page.locator("#examples .open").first.click()
    status(page, "cosine")
    page.get_by_role("tab", name="Compare").click()
    status(page, "of 24 pictures are in both columns", "#compare-status")
    assert not page.locator("#compare-hits [data-action=like]").count()  # its query is the one of Search
    titles = page.locator("#compare-hits .column h2").all_inner_texts()
    assert titles == ["Cosine", "Hamming"]
    status(page, "Only the distance differs", "#compare-status")
    only = page.locator("#compare-hits .reason", has_text="only here").count()
    told = re.search(r"(\d+) of 24 pictures", page.locator("#compare-status").inner_text())
    assert told
    both = int(told[1])
    assert only == 2 * (24 - both)
    page.locator("#differs").get_by_text("Encoder").click()
    page.locator("#compare-hits .column h2", has_text="weights:art-vit").wait_for()
    status(page, "Only the encoder differs", "#compare-status")
    page.locator("#compare-hits .open").first.click()
    page.get_by_role("button", name="Search from this").click()
    page.locator("#search-query .crop img").wait_for()
    assert page.get_by_role("tab", name="Search").get_attribute("aria-selected") == "true"


# As a browser without WebGL answers.
NO_WEBGL = """const own = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return kind.includes("webgl") ? null : own.call(this, kind, ...more);
}"""


@pytest.mark.long
def test_without_webgl_the_labels_of_the_map_lead_to_its_pictures(open_page: Any) -> None:
    page = open_page()
    page.add_init_script(NO_WEBGL)
    page.reload()
    page.locator("#examples .card").first.wait_for()
    page.get_by_role("tab", name="Map").click()
    notice = page.locator("#map .notice", has_text="it needs WebGL")
    notice.wait_for()
    page.locator("#map .legend button").first.click()
    page.locator("#map-hits .card").first.wait_for()
    assert notice.is_visible()


@pytest.mark.long
def test_a_file_dropped_on_any_tab_does_not_take_the_browser_away(open_page: Any) -> None:
    page = open_page()
    page.get_by_role("tab", name="Collections").click()
    page.locator("#collections article.collection").first.wait_for()
    kept = page.evaluate(
        """() => ["image/png", "text/plain"].map((type) => {
            const files = new DataTransfer();
            files.items.add(new File(["?"], "file", { type }));
            const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: files });
            document.body.dispatchEvent(event);
            return event.defaultPrevented;
        })"""
    )
    assert kept == [True, True]


@pytest.mark.long
def test_collections_say_where_they_come_from(open_page: Any) -> None:
    page = open_page()
    page.get_by_role("tab", name="Collections").click()
    parts = page.locator("#collections article.collection")
    parts.first.wait_for()
    paintings = parts.nth(1)
    assert paintings.locator("table").is_hidden(), "what operators ask for is folded"
    assert "A search finds " in paintings.inner_text() and "By style: " in paintings.inner_text()
    for summary in paintings.locator("summary").all():
        summary.click()
    text = paintings.inner_text()
    assert parts.count() == 2
    for said in (
        "WikiArt",
        f"{LIMIT} pictures",
        "Source",
        "Revision",
        "Built",
        "binary, 1 bit, 8-bit queries",
        "weights:art-cnn",
        "python -m ray_jobs.report wikiart",
    ):
        assert said in text
    paintings.locator(".some button").first.click()
    status(page, "24 closest")
    page.wait_for_url("**/?collection=wikiart&from=*")


@pytest.mark.long
def test_a_job_at_work_shows_how_far_it_is(open_page: Any, demo_home: Path) -> None:
    page = open_page()
    with writer_lock(str(demo_home), "birds"), progress("embed", 5_000) as bar:
        bar.update(1_200)
        page.get_by_role("tab", name="Collections").click()
        job = page.locator("article.collection", has_text="birds").locator(".job")
        job.get_by_text("embed, 1,200 of 5,000").wait_for()
        bar.update(800)
        job.get_by_text("embed, 2,000 of 5,000").wait_for()  # by itself
        assert job.locator("progress").evaluate("bar => bar.position") == 0.4
    page.locator("article.collection", has_text="birds").wait_for(state="detached")
