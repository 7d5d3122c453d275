"""Fits to published tables of single kernels; what they find, every other fit holds."""
