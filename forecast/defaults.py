"""The models that are compared where nobody names any, by their names in `forecast.models`; light to import."""

DEFAULT_MODELS = ("pretrained", "auto-arima", "seasonal-naive")
COVARIATE_MODELS = ("lstm", "auto-arima", "seasonal-naive")  # where covariates are declared
CATEGORICAL_MODELS = ("categorical-lstm", "markov-chain", "most-frequent")  # where the target is no number
