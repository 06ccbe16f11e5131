# SPDX-License-Identifier: PostgreSQL
"""What belongs to the package: manual pages, completion, schema, systemd unit, and the .deb itself."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/manual"))


@pytest.fixture(scope="session")
def rolegate():
    binary = pathlib.Path(os.environ.get("ROLEGATE_BINARY", ROOT / "build/rolegate"))
    assert binary.exists(), f"build {binary} first"
    return binary
