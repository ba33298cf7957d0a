"""``forecast text``: learn from a text, continue one, tell how likely one is."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.files import check_place
from forecast.cli.options import Json, Quiet
from forecast.cli.progress import progress_on_stderr
from forecast.cli.screen import say, show, show_json
from forecast.errors import DataError

NETWORK = "Network"  # the group of options in a command's help

text = typer.Typer(
    help="Learn from a text, continue it symbol by symbol, and tell how likely a text is.\n\n"
    "Example: forecast text train corpus.txt -o corpus.model",
    context_settings={"help_option_names": ["--help"]},
)

Corpus = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Text to learn from, in UTF-8.")
]
ModelOut = Annotated[Path, typer.Option("--output", "-o", metavar="MODEL", help="Write the model to this file.")]
ModelIn = Annotated[
    Path,
    typer.Argument(metavar="MODEL", exists=True, dir_okay=False, help="A file that 'forecast text train' wrote."),
]
Scored = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Text to be judged, in UTF-8.")
]
Tokens = Annotated[
    str,
    typer.Option("--tokens", metavar="KIND", help="What a symbol is: characters or words.", rich_help_panel=NETWORK),
]
Lines = Annotated[
    bool,
    typer.Option(
        "--lines", metavar="", help="Every line is a text of its own, such as a name: its end is learned too."
    ),
]
Embedding = Annotated[
    int | None,
    typer.Option("--embedding", min=1, metavar="N", help="Numbers that stand for a symbol.", rich_help_panel=NETWORK),
]
Hidden = Annotated[
    int | None, typer.Option("--hidden", min=1, metavar="N", help="Units of an LSTM layer.", rich_help_panel=NETWORK)
]
Layers = Annotated[
    int | None, typer.Option("--layers", min=1, metavar="N", help="LSTM layers.", rich_help_panel=NETWORK)
]
Blocks = Annotated[
    str | None,
    typer.Option(
        "--blocks",
        metavar="KINDS",
        help="Blocks of xLSTM in place of LSTM layers: s (sLSTM) and m (mLSTM) in their order, e.g. sm.",
        rich_help_panel=NETWORK,
    ),
]
Dropout = Annotated[
    float | None,
    typer.Option("--dropout", metavar="SHARE", help="Share of values dropped in training.", rich_help_panel=NETWORK),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        metavar="N",
        help="Passes over the text; a long one stops earlier when its held-out end is not foretold better any more.",
        rich_help_panel=NETWORK,
    ),
]
TrainingSeed = Annotated[
    int | None,
    typer.Option(
        "--seed", min=0, metavar="N", help="Start of the random numbers in training.", rich_help_panel=NETWORK
    ),
]
Prompt = Annotated[str, typer.Option("--prompt", "-p", metavar="TEXT", help="How the text begins.")]
Length = Annotated[int, typer.Option("--length", "-n", min=0, metavar="N", help="How many symbols to add.")]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature", "-t", metavar="T", help="Below 1 likelier symbols, above 1 more daring; 0 the likeliest."
    ),
]
TopK = Annotated[
    int | None, typer.Option("--top-k", min=1, metavar="K", help="Draw among the K likeliest symbols only.")
]
TopP = Annotated[
    float | None,
    typer.Option("--top-p", metavar="P", help="Draw among the likeliest symbols of this probability together."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, metavar="N", help="The same seed draws the same text again.")
]


@text.callback(invoke_without_command=True)
def program(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@text.command()
def train(
    file: Corpus,
    output: ModelOut,
    lines: Lines = False,
    tokens: Tokens = "characters",
    embedding: Embedding = None,
    hidden: Hidden = None,
    layers: Layers = None,
    blocks: Blocks = None,
    dropout: Dropout = None,
    epochs: Epochs = None,
    seed: TrainingSeed = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Learn from FILE and keep what was learned for 'forecast text generate' and 'forecast text score'.

    Example: forecast text train corpus.txt -o corpus.model
    """
    check_place("--output", output, source=file)
    from forecast.text import TextModel

    asked = {
        "tokens": tokens, "embedding_size": embedding, "hidden_size": hidden, "num_layers": layers, "blocks": blocks,
        "dropout": dropout, "max_epochs": epochs, "seed": seed,
    }  # fmt: skip
    model = TextModel(**{name: value for name, value in asked.items() if value is not None})  # type: ignore[arg-type]
    texts = _texts(file, lines)
    with progress_on_stderr(quiet) as progress:
        fitted = model.fit(texts, progress)
    fitted.save(output)
    if as_json:
        show_json({"model": str(output), "learned": fitted.describe(), "held_out_bits": fitted.held_out_bits})
    elif not quiet:
        show(fitted.describe())
        say(f"Wrote {output}; continue a text with: forecast text generate {output} --prompt TEXT")


@text.command()
def generate(
    model: ModelIn,
    prompt: Prompt = "",
    length: Length = 200,
    temperature: Temperature = 1.0,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
) -> None:
    """Continue a text with what MODEL learned, symbol by symbol as they come.

    Example: forecast text generate corpus.model --prompt "Once upon" --length 100
    """
    from forecast.text import TextModel

    symbols = TextModel.load(model).stream(prompt, length, temperature, top_k, top_p, seed)
    print(prompt, end="", flush=True)
    for symbol in symbols:
        sys.stdout.write(symbol)
        sys.stdout.flush()
    print()


@text.command()
def score(model: ModelIn, file: Scored, as_json: Json = False) -> None:
    """Tell how likely FILE is to MODEL, in bits per character and as perplexity of a symbol.

    Example: forecast text score corpus.model other.txt
    """
    from forecast.text import TextModel

    fitted = TextModel.load(model)
    found = fitted.score(_texts(file, fitted.ends))
    if as_json:
        show_json(found._asdict())
    else:
        show(str(found))


def _texts(file: Path, lines: bool) -> str | list[str]:
    """The text of a file, or its lines that are not empty."""
    try:
        whole = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file} is not UTF-8: byte {error.object[error.start]:#04x} at position {error.start:,}; save it as UTF-8."
        ) from error
    return [line for line in whole.splitlines() if line] if lines else whole
