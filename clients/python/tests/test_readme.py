"""The example of README.md, as it stands there."""

import os
import pathlib
import re
import subprocess
import sys

from support import KEY, SECRET, Service, Source, spec

PACKAGE = pathlib.Path(__file__).resolve().parent.parent


def test_the_example_runs(service: Service, source: Source, tmp_path: pathlib.Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    (tmp_path / "tennis.toml").write_text(spec(source.uri))
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE / "src"),
        "MATCHCUT_URL": service.url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "   0.560 s  clips/shot_000000560_t1.mp4\n" in done.stdout
    assert "shot:395136000 10 number 1 by score\n" in done.stdout
    assert (tmp_path / "best.mp4").read_bytes() == service.file("final", "replays/best/best.mp4").read_bytes()
