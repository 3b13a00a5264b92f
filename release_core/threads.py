"""A program that has loaded numpy already in; the same program with linear algebra on as many threads as we ask for, out."""

from __future__ import annotations

import os

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


def limit() -> None:
    """Have linear algebra use as many threads as OPENBLAS_NUM_THREADS says: one, unless somebody has set another number."""
    said = os.environ.get("OPENBLAS_NUM_THREADS", "")
    if said.isdigit() and int(said):
        threadpool_limits(limits=int(said), user_api="blas")
