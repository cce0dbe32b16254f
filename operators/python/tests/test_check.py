"""``python -m matchcut.check`` and ``run`` as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

GOOD = '''
import os
import matchcut

class Luma(matchcut.Operator):
    view = matchcut.View(16, 9)
    attributes = {"luma": matchcut.Number()}

    def process_frame(self, frame):
        print("to nobody")
        os.write(1, b"to nobody either\\n")
        yield frame.observation(luma=float(frame.pixels.mean()))

matchcut.run(Luma)
'''


def check(tmp_path, text):
    file = tmp_path / "operator_under_test.py"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "matchcut.check", str(file)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_good_operator_may_print(tmp_path):
    done = check(tmp_path, GOOD)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Luma (featurer): good; it said 100 things of two chunks of 2 s\n"
    assert done.stderr.count("to nobody either") == 200


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("luma=float", "light=float", "'light' is not declared"),
        ("frame.pixels.mean()", "id(frame) % 7 + __import__('random').random()", "another answer"),
        ("print(\"to nobody\")", "os._exit(3)", "exit code 3"),
        ("print(\"to nobody\")", "self.n = getattr(self, 'n', 0) + 1", None),
        ("float(frame.pixels.mean())", "self.__dict__.setdefault('n', []).append(1) or len(self.n)", "another"),
    ],
)
def test_what_is_wrong_is_found(tmp_path, old, new, text):
    done = check(tmp_path, GOOD.replace(old, new))
    if text is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert text in done.stderr
