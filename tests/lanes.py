"""The two lanes in which tests and notebooks run, each as environment variables.

What a notebook shows holds to the digit in one arithmetic only. So in the lane "oldest"
notebooks run in the arithmetic of the oldest x86-64, which every other has too, and
their outputs are compared. In the lane "own", all tests run and all notebooks again,
in the machine's own arithmetic: every cell must run and every assertion must hold.
"""

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = {  # each library chooses its instructions by itself, and with them its digits
    "ATEN_CPU_CAPABILITY": "default",  # torch
    "ONEDNN_MAX_CPU_ISA": "SSE41",  # torch's bfloat16
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products: the same on Intel and AMD
    "OPENBLAS_CORETYPE": "Nehalem",  # numpy's and scipy's
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR",
    "OMP_NUM_THREADS": "1",  # several threads add in another order
    "CUDA_VISIBLE_DEVICES": "",
}


def variables(*, oldest: bool = False) -> dict:
    """Return the environment variables of a run that repeats itself, offline.

    tests/offline/sitecustomize.py, imported by every Python started under them, blocks
    the network and sets what only the kernels of the notebooks should see.
    """
    offline, paths = str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")
    paths = [path for path in paths.split(os.pathsep) if path not in ("", offline)]
    ipython = ROOT / ".pytest_cache" / "ipython"  # not the user's own start-up files
    try:
        ipython.mkdir(parents=True, exist_ok=True)
    except OSError:  # a checkout that is read only
        ipython = tempfile.mkdtemp(prefix="course-ipython-")
    return {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "PYTHONPATH": os.pathsep.join([offline, *paths]),
        "PYTHONHASHSEED": "0",
        "COLUMNS": "80",  # of the terminal, which tables and messages may follow
        "COURSE_MODEL": "",  # none but the pocket model
        "COURSE_STRICT": "",
        "MPLBACKEND": "",
        "PYTEST_TIMEOUT": "900",  # seconds: what hangs fails, and shows where
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "IPYTHONDIR": str(ipython),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **(OLDEST if oldest else {}),
    }
