"""What tests of infra/ share."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def matchcut():
    """matchcut as it was built."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    named = os.environ.get("MATCHCUT_BIN")
    for path in [pathlib.Path(named)] if named else [target / "debug/matchcut", target / "release/matchcut"]:
        if path.is_file():
            return path
    pytest.skip("no matchcut here: cargo build, or say where it is with MATCHCUT_BIN")
