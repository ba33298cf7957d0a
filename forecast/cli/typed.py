"""Sentences of the library as someone reads them who typed options, not arguments of Python."""

import re

OPTIONS = {
    "calendar": "--calendar",
    "freq": "--freq",
    "future": "--future",
    "future_exog": "--future-exog",
    "h": "--horizon",
    "historic": "--historic",
    "holidays": "--holidays",
    "id_col": "--id",
    "input_size": "--input-size",
    "intervals": "--intervals",
    "level": "--level",
    "n_members": "--members",
    "finetune_steps": "--finetune",
    "n_windows": "--windows",
    "season_length": "--season",
    "static": "--static",
    "static_data": "--static-data",
    "step_size": "--step",
    "target_col": "--target",
    "time_col": "--time",
    "tz": "--tz",
}
PHRASES = {  # what Python offers and the command line has in another way
    "leave out level and quantiles": "give --level none",
    "give one of the models another alias": "rename that column, or leave the model out of --models",
}
_VALUE = r"""\[[^\]]*\]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[\w.+-]*\w"""
_ASSIGNED = rf"(?<![\w-])({'|'.join(OPTIONS)})=({_VALUE})?"
_BOTH = re.compile(rf"(?<=\S)\s+\({_ASSIGNED}(?:, {_ASSIGNED})*\)")  # "--level 80 (level=[80])"
_CALL = re.compile(_ASSIGNED)
_SUBJECT = re.compile(rf"^({'|'.join(OPTIONS)})(?= is | has )")  # "n_windows is 0; it must be ..."


def as_typed(sentence: str) -> str:
    """A sentence with the options of the command line instead of the arguments of Python.

    Examples
    --------
    >>> as_typed("Give the column with --time (time_col=), or use n_windows=3.")
    'Give the column with --time, or use --windows 3.'
    """
    for phrase, words in PHRASES.items():
        sentence = sentence.replace(phrase, words)
    sentence = _BOTH.sub("", sentence)
    sentence = _SUBJECT.sub(lambda found: OPTIONS[found[1]], sentence)
    return _CALL.sub(lambda found: f"{OPTIONS[found[1]]} {_listed(found[2] or '')}".rstrip(), sentence)


def _listed(value: str) -> str:
    """A value as it is typed: lists by commas, texts without the quotes of Python."""
    if value[:1] == "[":
        return re.sub(r", *", ",", value[1:-1])
    return value[1:-1] if value[:1] == "'" and value[1:-1].isidentifier() else value
