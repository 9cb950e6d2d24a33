"""Every python snippet of the README runs, in order and in one namespace."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_snippets_run(tmp_path):
    snippets = re.findall(
        r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE
    )
    assert snippets
    script = tmp_path / "readme.py"
    script.write_text("\n".join(f"# snippet {i}\n{s}" for i, s in enumerate(snippets, 1)))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
