# SPDX-License-Identifier: PostgreSQL
"""Files of /etc as one program alone sees them."""

import os
import shutil

import pytest


def require():
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("another file in /etc needs root and unshare")


def command(files, argv):
    """`argv` in a mount namespace of its own, with each of `files`, by the path whose place it takes."""
    mounts = " && ".join(f"mount --bind '{file}' '{place}'" for place, file in files.items())
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", f"{mounts} && exec \"$@\"", "sh", *argv]
