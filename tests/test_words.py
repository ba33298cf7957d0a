from forecast.words import counted


def test_one_has_other_words_than_many():
    assert [counted(n, "step") for n in (0, 1, 2_000)] == ["0 steps", "1 step", "2,000 steps"]
    assert counted(1, "row is left out", "rows are left out") == "1 row is left out"
    assert counted(3, "row is left out", "rows are left out") == "3 rows are left out"
