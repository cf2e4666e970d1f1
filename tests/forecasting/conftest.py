"""The companies that forecasts are told of."""

from tests.forecasting.selling import selling

__all__ = ["selling"]
