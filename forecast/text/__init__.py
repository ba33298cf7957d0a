"""Texts: a network learns to foretell the next symbol, continues a text, and tells how likely one is."""

from forecast.text.fitted import FittedTextModel, Score
from forecast.text.model import TextModel

__all__ = ["FittedTextModel", "Score", "TextModel"]
