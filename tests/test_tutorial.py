"""The tutorial in the README runs and learns what can be learned."""

import runpy
from pathlib import Path

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.py"


def test_tutorial_comes_near_the_noise_and_draws_its_pictures(tmp_path):
    mse = runpy.run_path(str(TUTORIAL))["main"](tmp_path)
    assert 0.008 < mse < 0.02  # the noise alone has 0.01; repeating the last value 0.02 and more
    assert {file.name for file in tmp_path.iterdir()} == {"tutorial-loss.png", "tutorial-forecast.png"}


def test_names_of_schools_are_continued_as_in_the_corpus():
    page = runpy.run_path(str(TUTORIAL.with_name("schools.py")))
    known = set(page["CORPUS"].split())
    for beginning, names in page["main"](20).items():
        assert set(names) <= {name for name in known if name.startswith(beginning)}
        assert len(set(names)) >= 3
