"""The command `messenger` where the client's packages are missing."""

import subprocess
import sys


def test_a_missing_package_is_named_with_what_to_do() -> None:
    program = "import sys; sys.modules['httpx'] = None; from messenger.command import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "messenger: httpx is not installed; the client needs: pip install '.[client]'\n"
