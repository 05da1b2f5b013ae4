"""The towers in `evaluate`: one more row, stacked and not, and content vectors that are checked."""

from pathlib import Path

import event_worlds
import numpy as np
import pytest

from personalize.errors import EventFileError
from personalize.evaluate import compare_rankers, read_looks
from personalize.evaluate.towers import looks_of


def test_the_towers_are_a_row_of_their_own_and_stacked_and_the_same_again(tmp_path: Path) -> None:
    log = event_worlds.co_occurring(tmp_path / "log.parquet", n_users=120, n_styles=60)
    first, again = (compare_rankers(log, towers=True, seed=3) for _ in range(2))
    assert list(first.models)[:2] == ["personalize", "personalize+towers"]
    assert first.models == again.models
    assert first.settings["towers_epochs"] > 0
    towers, popular = (first.models[name]["ndcg"] for name in ("towers", "popularity"))
    assert towers.low is not None
    assert popular.high is not None
    assert towers.low > popular.high


def test_looks_are_centred_and_styles_without_one_stand_in_the_middle() -> None:
    looks = looks_of(["a", "b", "c"], {"a": [1.0, 0.0], "b": [3.0, 0.0], "elsewhere": [9.0, 9.0]})
    np.testing.assert_allclose(looks[:2].sum(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(looks[2], 0)
    assert looks_of(["a"], None).shape == (1, 0)
    with pytest.raises(ValueError, match="one length"):
        looks_of(["a"], {"a": [1.0], "b": [1.0, 2.0]})


@pytest.mark.parametrize("content", ["[1, 2]", '{"a": 3}', '{"a": ["x"]}', "{"])
def test_a_file_of_looks_that_is_none_is_one_sentence(content: str, tmp_path: Path) -> None:
    path = tmp_path / "looks.json"
    path.write_text(content)
    with pytest.raises(EventFileError, match="expected content vectors by style_id"):
        read_looks(path)
