"""Recurrent networks: config -> network -> training -> forecasts."""

from forecast.models.recurrent.fitted import FittedNetwork
from forecast.models.recurrent.lstm import LSTM, FittedLSTM

__all__ = ["LSTM", "FittedLSTM", "FittedNetwork"]
