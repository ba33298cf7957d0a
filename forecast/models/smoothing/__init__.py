"""Exponential smoothing and the Theta method, estimated by statsmodels.

``model`` holds the configs and what they learn, ``ets`` and ``theta`` the two methods, for one history each.
"""

from forecast.models.smoothing.model import AutoETS, FittedSmoothing, Theta

__all__ = ["AutoETS", "FittedSmoothing", "Theta"]
