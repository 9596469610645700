"""The Insights tab shows what ray_jobs.insights has left, and is absent where it was not run."""

from pathlib import Path

import pytest

from page.collection_library import CollectionLibrary
from page.tabs.collections import overview_html
from page.tabs.insights import InsightsHandlers
from pipeline.insights.kept import INSIGHTS, KeptCluster, KeptDoubt, KeptField, KeptInsights
from pipeline.store import open_store
from tests.search.conftest import IDS, fill

GONE = "00000000-0000-0000-0000-000000000000"
KEPT = KeptInsights(
    encoder="e:grey",
    pictures=12,
    total=12,
    covered=0.5,
    copies=0.25,
    clusters=(
        KeptCluster(name="even", pictures=8, tightness=0.9, typical=(IDS[0], GONE, IDS[2])),
        KeptCluster(name="mixed", pictures=4, tightness=0.8, typical=(IDS[1],)),
    ),
    unusual=(IDS[11],),
    fields=(
        KeptField(
            field="style",
            doubtful=3,
            doubts=(KeptDoubt(id=IDS[3], label="odd", suggested="even", own=0.1, other=0.9),),
        ),
        KeptField(field="artist", doubtful=0, doubts=()),
    ),
)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CollectionLibrary:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    fill(open_store(home=str(tmp_path)), calibrated=True)
    return CollectionLibrary(str(tmp_path))


def test_the_tab_is_absent_until_the_job_was_run(library: CollectionLibrary) -> None:
    do = InsightsHandlers(library)
    assert do.is_there("greys")["visible"] is False and do.is_there("nobody")["visible"] is False
    assert "has no insights yet" in do.look("greys", None).status
    assert "python -m ray_jobs.insights greys" in overview_html(library)
    store, version = library.open("greys").live
    store.attach(version.name, INSIGHTS, KEPT.model_dump_json().encode())
    assert do.is_there("greys")["visible"] is True
    assert "ray_jobs.insights" not in overview_html(library)


def test_clusters_unusual_pictures_and_doubts_are_shown(library: CollectionLibrary) -> None:
    store, version = library.open("greys").live
    store.attach(version.name, INSIGHTS, KEPT.model_dump_json().encode())
    update = InsightsHandlers(library).look("greys", None)
    assert [shown.id for shown in update.cards] == [IDS[0], IDS[2], IDS[1], IDS[11], IDS[3]]
    assert "2 clusters of 12 pictures" in update.status and "50% match" in update.status
    assert update.grid.count("<section>") == 4 and update.grid.count('data-action="open"') == 5
    for words in ("<h2>Even</h2><p>8 pictures", "Most unusual", "may be wrong", "neighbours: Even (90%)"):
        assert words in update.grid
    assert [f'data-index="{at}"' in update.grid for at in range(6)] == [True] * 5 + [False]
