"""ARIMA with given orders, and with orders chosen for each series.

``model`` holds the configs and what is stored; ``fitting`` goes from a history to an estimate, with ``differencing``
(how often to difference), ``sample`` (differenced histories with gaps), ``likelihood`` (of one set of coefficients),
``estimation`` (of one model) and ``search`` (of many); ``prediction`` forecasts, ``workers`` spreads series over
processes.
"""

from forecast.models.arima.model import ARIMA, AutoARIMA, FittedARIMA

__all__ = ["ARIMA", "AutoARIMA", "FittedARIMA"]
