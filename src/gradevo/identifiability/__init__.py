"""What the data can tell of the densities, apart from what an optimiser could find.

The Fisher information of a problem under a stated noise, its spectrum and bounds, a verdict per density and per fit, and the
choice of sites that tell most. docs/identifiability.md has the rules in one place.
"""
