"""log joint -> value and gradient as a flat list of NumPy calls, run over buffers that are kept."""
