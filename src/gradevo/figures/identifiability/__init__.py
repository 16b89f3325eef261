"""The figures of what data can tell (`snakemake identifiability`), one per file, from its tables."""
