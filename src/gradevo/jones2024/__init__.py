"""The published tables of Jones and Kording (2024, arXiv 2407.04025), again: `snakemake jones2024`, config/jones2024.yaml.

What the study reported, stimuli drawn from its distribution (or its own data where they are at hand), its optimiser for its 200
steps, gradevo's methods and CMA-ES on the same terms, and what the recordings could tell at all. docs/jones2024.md is the page.
"""
