"""a block of code -> the same with one BLAS thread: each number of threads adds up products in another order."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_blas_thread() -> AbstractContextManager[object]:
    """Same seed, same bits, whatever number of threads the user or the machine sets. It is put back at the end."""
    return threadpool_limits(limits=1, user_api="blas")
