from forecast.words import counted, joined


def test_one_has_other_words_than_many():
    assert [counted(n, "step") for n in (0, 1, 2_000)] == ["0 steps", "1 step", "2,000 steps"]
    assert counted(1, "row is left out", "rows are left out") == "1 row is left out"
    assert counted(3, "row is left out", "rows are left out") == "3 rows are left out"


def test_names_are_joined_as_in_a_sentence():
    assert [joined(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
