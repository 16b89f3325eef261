# Run in the repository's root, inside the new environment: the lock first, then the package without its dependencies.
# Snakemake copies environment.yml elsewhere before conda reads it, so the lock could not be named there.
set -eu
python -m pip install --disable-pip-version-check -r requirements.lock
python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
