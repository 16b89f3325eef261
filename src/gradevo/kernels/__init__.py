"""The backends of ``gradevo.simulate``: reference.py is the law (torch), cpu.py the fused kernel (Numba)."""
