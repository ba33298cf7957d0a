"""Recurrent networks: config -> network -> training -> forecasts."""

from forecast.models.recurrent.fitted import FittedNetwork
from forecast.models.recurrent.lstm import LSTM, FittedLSTM
from forecast.models.recurrent.xlstm import XLSTM, FittedXLSTM

__all__ = ["LSTM", "XLSTM", "FittedLSTM", "FittedNetwork", "FittedXLSTM"]
