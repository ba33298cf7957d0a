"""Numba kernels of gatecast: NumPy arrays in, NumPy arrays out; nothing here knows of pandas or of forecasting."""
