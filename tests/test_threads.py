"""Linear algebra runs on one thread, whether numpy is loaded after the program or before it; unless the reader says otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

AFTER = "import release_core, numpy, scipy.linalg"
BEFORE = "import numpy, scipy.linalg; from release_core import threads; threads.limit()"
COUNT = "; from threadpoolctl import threadpool_info; print([p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'])"


@pytest.mark.parametrize("load", [AFTER, BEFORE])
@pytest.mark.parametrize("said", [None, "2"])
def test_linear_algebra_runs_on_as_many_threads_as_are_asked_for(load, said):
    variables = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    variables |= {} if said is None else {"OPENBLAS_NUM_THREADS": said}
    found = subprocess.run(
        [sys.executable, "-c", load + COUNT],
        cwd=Path(__file__).parent.parent,
        env=variables,
        capture_output=True,
        check=True,
    )
    assert set(map(int, found.stdout.decode().strip("[]\n").split(", "))) == {int(said or 1)}
