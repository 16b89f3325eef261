"""One figure per file: tidy tables in, a matplotlib Figure out. The look comes from figures/matplotlibrc."""
