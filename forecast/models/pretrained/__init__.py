"""A recurrent network that was trained before: it forecasts series that it has never seen."""

from forecast.models.pretrained.fitted import FittedPretrained
from forecast.models.pretrained.model import Pretrained

__all__ = ["FittedPretrained", "Pretrained"]
