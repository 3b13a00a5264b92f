"""Release Review: may a change to a scoring model go to the next stage, and on what evidence?"""

import os

# Answers are many products of small arrays, which threads of linear algebra slow down: they wait for each other, busily.
# It is read when numpy is loaded; see `threads` for where that was before.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
