"""Models of categorical series: the states of a machine, the stages of a process."""

from forecast.models.categorical.baselines import MarkovChain, MostFrequent
from forecast.models.categorical.network import CategoricalLSTM

__all__ = ["CategoricalLSTM", "MarkovChain", "MostFrequent"]
