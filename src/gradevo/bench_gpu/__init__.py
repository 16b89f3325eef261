"""The time that simulations take on a GPU, beside what it allows: ``gradevo bench --device cuda``."""
