"""Processes of their own, for tests of the GPU's kernels that the process of the other tests cannot hold.

They are started when the session begins, one after the other, and run beside it until a test waits for what they say.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
SIMULATED = FOLDER, ROOT / "tests/learning/test_cuda.py", ROOT / "tests/models/test_models_on_cuda.py"
_PYTEST = "-m", "pytest", "-p", "no:cacheprovider", "-m", "gpu"
# What is run, and the packages that it takes. The longest comes first.
COMMANDS = {
    "compiled": ([FOLDER / "ptx.py"], ("numba_cuda", "nvidia.cu13")),
    "simulated": ([*_PYTEST, *SIMULATED], ("numba_cuda",)),
    "launches": ([FOLDER / "launches.py"], ("numba_cuda",)),
}


def installed(name):
    """Whether there is a package."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the package that it would stand in
        return False


class Children:
    """The processes of a session."""

    def __init__(self):
        self.executor, self.found, self.running = ThreadPoolExecutor(1), {}, None

    def start(self, name):
        """Run a process after those that were started before."""
        if name not in self.found and all(map(installed, COMMANDS[name][1])):
            self.found[name] = self.executor.submit(self._run, name)

    def result(self, name):
        """Wait for what a process has returned, and what it has written; None if packages are missing."""
        self.start(name)
        return self.found[name].result() if name in self.found else None

    def stop(self):
        """End those that nobody waits for any more."""
        self.executor.shutdown(wait=False, cancel_futures=True)
        if self.running is not None:
            self.running.kill()
        self.executor.shutdown()

    def _run(self, name):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
        environment["NUMBA_ENABLE_CUDASIM"] = "1" if name == "simulated" else "0"
        command = [sys.executable, *map(str, COMMANDS[name][0])]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as self.running:
            output, errors = self.running.communicate()
        code, self.running = self.running.returncode, None
        return code, output, errors
