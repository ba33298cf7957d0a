"""``forecast inspect`` and ``forecast data``: how data are understood, and data to try."""

import json

from forecast.series import datasets


def test_inspect_tells_columns_frequency_and_season(run, air):
    result = run("inspect", air)
    assert result.exit_code == 0
    assert "the time 'timestamp', the target 'value'" in result.stdout
    assert "monthly (MS)" in result.stdout
    assert "The season is 12 steps" in result.stdout
    assert "Frequency: monthly (MS), inferred from 144 stamps" in result.stderr


def test_inspect_warns_of_gaps_with_a_fix(run, csv):
    file = csv("day,y", *(f"2024-01-{day:02d},{day}" for day in range(1, 29) if day not in (5, 6, 17)))
    (line,) = [line for line in run("inspect", file).stdout.splitlines() if "unobserved" in line]
    assert line.startswith("warn")
    document = json.loads(run("inspect", file, "--json").stdout)
    assert document["unobserved"] == 3
    (gaps,) = [finding for finding in document["findings"] if "unobserved" in finding["what"]]
    assert gaps["fix"]


def test_inspect_tells_the_sizes_of_a_panel(run, csv):
    months = [f"{year}-{month:02d}-01" for year in (2020, 2021) for month in range(1, 13)]
    lines = [*(f"long,{month},1.5" for month in months), *(f"short,{month},2.5" for month in months[-5:])]
    facts = json.loads(run("inspect", csv("id,month,y", *lines), "--json").stdout)
    assert (facts["series"], facts["values"], facts["shortest"], facts["longest"]) == (2, 29, 5, 24)


def test_data_lists_every_data_set(run):
    result = run("data")
    assert {line.split()[0] for line in result.stdout.splitlines() if line} >= set(datasets.names())
    assert [row["name"] for row in json.loads(run("data", "--json").stdout)] == datasets.names()


def test_data_tells_origin_and_licence(run):
    result = run("data", "co2")
    assert "Mauna Loa" in result.stdout
    assert "Licence" in result.stdout
    assert "Licence" in json.loads(run("data", "co2", "--json").stdout)["origin"]


def test_data_exports_the_file_as_it_is(run, tmp_path):
    assert run("data", "us_gdp", "-o", tmp_path / "gdp.csv").exit_code == 0
    assert (tmp_path / "gdp.csv").read_bytes() == datasets.path("us_gdp").read_bytes()
