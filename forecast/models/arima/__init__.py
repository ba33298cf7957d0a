"""ARIMA with given orders, and with orders chosen for each series.

``model`` holds the configs and ``fitted`` what they learn; ``fitting`` goes from a history to an ``estimate``, with
``differencing`` (how often to difference), ``sample`` (differenced histories with gaps), ``search`` (of the orders)
and one of two engines, ``compiled`` (kernels) and ``statespace`` (statsmodels); ``prediction`` forecasts.
"""

from forecast.models.arima.fitted import FittedARIMA
from forecast.models.arima.model import ARIMA, AutoARIMA

__all__ = ["ARIMA", "AutoARIMA", "FittedARIMA"]
