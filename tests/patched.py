"""A copy of this tree with a patch on it: another release, or a build that is broken on purpose."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NOT_NEEDED = shutil.ignore_patterns(".*", "__pycache__", "tests", "docs", "bench")


def patched(patch: Path, folder: Path) -> Path:
    """The new `folder`, with what a worker needs of this tree and the patch on it. Raises when it does not fit."""
    shutil.copytree(ROOT, folder, ignore=_NOT_NEEDED)
    apply(patch, folder)
    return folder


def apply(patch: Path, folder: Path, *options: str) -> None:
    """`git apply`, which needs no repository. Raises ValueError that names the patch and what does not fit."""
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", "-p1", *options, str(patch)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{patch.name} does not apply: make it anew against this tree\n{done.stderr}")
