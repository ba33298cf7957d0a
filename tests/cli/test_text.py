"""``forecast text``: train, generate, score."""

import json

import pytest
from typer.main import get_command

from forecast import TextModel
from forecast.cli import app

COMMANDS = get_command(app).commands["text"].commands
NAMES = ["红叶门", "红叶剑派", "白云观"]


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A corpus of names, and its model."""
    folder = tmp_path_factory.mktemp("names")
    corpus, model = folder / "names.txt", folder / "names.model"
    corpus.write_text("\n".join(NAMES) + "\n", encoding="utf-8-sig")
    TextModel(embedding_size=8, hidden_size=24, max_epochs=120, learning_rate=0.02, seed=1).fit(NAMES).save(model)
    return corpus, model


@pytest.mark.parametrize("name", ["train", "generate", "score"])
def test_every_command_has_help_with_an_example_and_names_its_options(run, name):
    assert f"Example: forecast text {name}" in COMMANDS[name].help
    assert [param.name for param in COMMANDS[name].params if not param.help] == []
    shown = run("text", name, "--help")
    assert shown.exit_code == 0
    options = [option for param in COMMANDS[name].params for option in param.opts if option.startswith("--")]
    assert [option for option in options if option not in shown.stdout] == []


def test_text_alone_shows_its_commands(run):
    shown = run("text")
    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in COMMANDS)


def test_model_is_trained_and_continues_a_prompt(run, names, tmp_path):
    corpus, _ = names
    sizes = ["--embedding", 8, "--hidden", 24, "--layers", 1, "--dropout", 0, "--epochs", 80, "--seed", 1]
    trained = run("text", "train", corpus, "-o", tmp_path / "model", "--lines", *sizes)
    assert trained.exit_code == 0
    assert "24 units, 8 characters" in trained.stdout
    assert "forecast text generate" in trained.stderr
    result = run("text", "generate", tmp_path / "model", "--prompt", "白", "--length", 20, "--temperature", 0)
    assert (result.exit_code, result.stdout) == (0, "白云观\n")


def test_same_seed_prints_the_same_text(run, names):
    first, again, other = (run("text", "generate", names[1], "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == again
    assert {first.strip(), other.strip()} <= set(NAMES)


def test_symbols_arrive_before_the_last_is_drawn(start, names):
    process = start("text", "generate", names[1], "--length", 20, "--top-k", 3, "--top-p", 0.9)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.strip() in NAMES


def test_score_tells_bits_and_perplexity(run, names):
    corpus, model = names
    shown = run("text", "score", model, corpus)
    assert shown.exit_code == 0
    assert "bits per character" in shown.stdout
    told = json.loads(run("text", "score", model, corpus, "--json").stdout)
    assert told["symbols"] == 13
    assert told["bits_per_character"] == pytest.approx(TextModel.load(model).score(NAMES).bits_per_character)


def test_quiet_and_json_print_nothing_else(run, names, tmp_path):
    few = ["--hidden", 4, "--epochs", 1]
    quiet = run("text", "train", names[0], "-o", tmp_path / "model", *few, "--quiet")
    assert (quiet.stdout, quiet.stderr) == ("", "")
    told = json.loads(run("text", "train", names[0], "-o", tmp_path / "model", *few, "--json").stdout)
    assert told["held_out_bits"] is None


def test_what_goes_wrong_is_one_sentence_with_its_exit_code(run, names, tmp_path):
    corpus, model = names
    latin = tmp_path / "latin.txt"
    latin.write_bytes("café".encode("latin-1"))
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    cases = [
        (["generate", model, "--prompt", "黑"], 2, "has the character '黑'"),
        (["generate", model, "--temperature", -1], 2, "temperature is -1.0"),
        (["generate", corpus], 4, "is not a gatecast model"),
        (["score", model, latin], 3, "is not UTF-8: byte 0xe9 at position 3"),
        (["score", model, empty], 3, "The text is empty"),
        (["train", empty, "-o", tmp_path / "new"], 3, "The text is empty"),
        (["train", empty, "-o", empty], 2, "the file to be read"),
        (["train", corpus, "-o", tmp_path / "new", "--tokens", "letters"], 2, "choose characters, words"),
        (["train", corpus, "-o", tmp_path / "new", "--hidden", 0], 2, "--hidden"),
    ]
    for arguments, code, sentence in cases:
        result = run("text", *arguments)
        assert result.exit_code == code, arguments
        assert sentence in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
    assert not (tmp_path / "new").exists()


def test_blocks_of_xlstm_are_an_option(run, names, tmp_path):
    sizes = ["--embedding", 8, "--hidden", 24, "--blocks", "sm", "--epochs", 2, "--seed", 1, "--lines"]
    trained = run("text", "train", names[0], "-o", tmp_path / "model", *sizes)
    assert trained.exit_code == 0
    assert "blocks sm of 24 units in 4 heads" in trained.stdout
    assert run("text", "generate", tmp_path / "model", "--length", 5).exit_code == 0
    assert run("text", "train", names[0], "-o", tmp_path / "other", "--blocks", "x").exit_code == 2
