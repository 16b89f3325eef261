"""What the figures are drawn from: small tables, made from a study's fits, that are stored and committed beside the statistics.

A figure reads tables and nothing else, so that it can be drawn again long after the fits, without running any.
"""
