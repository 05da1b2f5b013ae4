"""The three ways of judging, from the database: what is missing is missing with its reason."""

from datetime import timedelta

import pytest
from factories import NOW, make_click, make_product, make_slate, make_styles
from sqlalchemy import Engine

from personalize.data.catalogue import read_styles
from personalize.data.database import reading, writing
from personalize.data.events import record_events
from personalize.data.ratings import record_rating
from personalize.data.records import PairRating, ScoreRating
from personalize.judgement import StylesJudged, StyleStanding, clicks_of_styles, judge_styles
from personalize.rendering import Measures, StyleMeasures

NETWORK = "abc123"
NO_REPORT = Measures(why_none="there is no report")


@pytest.fixture
def shop(sqlite_engine: Engine) -> Engine:
    with writing(sqlite_engine) as session:
        make_styles(session, "fresco", "waves", "woodcut")
        make_product(session, "mug")
    return sqlite_engine


def judge(shop: Engine, measures: Measures = NO_REPORT) -> StylesJudged:
    with reading(shop) as session:
        styles = read_styles(session)
    clicks = clicks_of_styles(shop, NOW - timedelta(days=1))
    return judge_styles(shop, styles, measures, clicks, network_version=NETWORK)


def standing(judged: StylesJudged, style_id: str) -> StyleStanding:
    return next(one for one in judged.standings if one.style_id == style_id)


def test_a_shop_that_has_just_opened_says_why_there_is_nothing(shop: Engine) -> None:
    judged = judge(shop)
    waves = standing(judged, "waves")
    assert waves.preferred.why_none == "nobody compared it yet"
    assert waves.opinion.why_none == "nobody scored it yet"
    assert waves.ssim.why_none == "there is no report"
    assert waves.ctr.why_none == "it was not shown in this time"
    assert all("not known yet" in sentence for sentence in judged.sentences)


def test_the_surest_style_leads_not_the_luckiest(shop: Engine) -> None:
    with writing(shop) as session:
        for n in range(60):
            shown = make_slate(session, f"u{n}", ["mug"], style_id="waves")
            if n % 3:
                record_events(session, [make_click(shown[0])], NOW)
        lucky = [make_slate(session, f"v{n}", ["mug"], style_id="woodcut")[0] for n in range(3)]
        record_events(session, [make_click(one) for one in lucky[:2]], NOW)
        make_slate(session, "w", ["mug"], style_id="fresco")
    judged = judge(shop)
    assert [one.style_id for one in judged.standings][:2] == ["waves", "woodcut"]
    assert standing(judged, "waves").ctr.n == 60
    assert standing(judged, "fresco").ctr.value == 0.0
    assert "one user alone" in str(standing(judged, "fresco").ctr.why_none)


def test_only_ratings_of_the_network_in_use_count(shop: Engine) -> None:
    old = PairRating("p0", "eve", "mug", "waves", "woodcut", "woodcut")
    with writing(shop) as session:
        record_rating(session, old, network_version="older", now=NOW)
        for n in range(4):
            one = PairRating(f"p{n + 1}", "eve", "mug", "waves", "woodcut", "waves")
            record_rating(session, one, network_version=NETWORK, now=NOW)
        record_rating(session, ScoreRating("s", "bob", "mug", "waves", 5), network_version=NETWORK, now=NOW)
    judged = judge(shop)
    assert (judged.n_comparisons, judged.n_scores, judged.n_raters) == (4, 1, 2)
    assert standing(judged, "waves").preferred.value > 0.5  # type: ignore[operator]
    assert standing(judged, "waves").opinion.value == 5.0
    assert any("“waves” never lost" in note for note in judged.notes)
    assert "Agreement between raters is not known: nothing was judged twice." in judged.notes


def test_measures_stand_beside_their_style_and_the_original_has_none(shop: Engine) -> None:
    judged = judge(shop, Measures({"waves": StyleMeasures(psnr_db=14.0, recognised_rate=0.8)}))
    waves = standing(judged, "waves")
    assert (waves.psnr_db.value, waves.recognised.value, waves.ssim.value) == (14.0, 0.8, None)
    assert waves.ssim.why_none == "the report does not hold it"
    assert standing(judged, "woodcut").ssim.why_none == "the report does not hold this style"
    assert "measured against" in str(standing(judged, "original").ssim.why_none)
