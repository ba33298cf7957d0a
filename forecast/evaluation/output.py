"""What is done to forecasts before they are written: none below zero, whole numbers."""

from dataclasses import dataclass

import numpy as np

from forecast.models.base import Forecast


@dataclass(frozen=True)
class Output:
    """Limits that the caller knows of his values."""

    non_negative: bool = False
    """Nothing below zero."""
    integer: bool = False
    """Whole numbers: points and medians are rounded, bounds of intervals outwards, so that they lose no value."""

    def of(self, forecast: Forecast, quantiles: tuple[float, ...]) -> Forecast:
        """A forecast of these quantiles within the limits."""
        if forecast.probabilities is not None:
            return forecast  # categories know no limits
        point, values = forecast.point, forecast.quantiles
        if self.integer:
            side = np.sign(np.array(quantiles) - 0.5)
            exact = np.round(values, 6)  # 7.0000000001 is seven
            values = np.where(side < 0, np.floor(exact), np.where(side > 0, np.ceil(exact), np.rint(values))) + 0.0
            point = np.rint(point) + 0.0  # no -0.0
        if self.non_negative:
            point, values = np.maximum(point, 0.0), np.maximum(values, 0.0)
        return Forecast(point, values)
