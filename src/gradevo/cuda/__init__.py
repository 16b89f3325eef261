"""The CUDA backend: the CPU kernels' scheme for a GPU's threads. docs/gpu.md says what is there, and what is not yet."""
