"""What holds personal data is its owner's only."""

import os
import stat
from pathlib import Path

import pytest

from dunwell.store.database import Database
from dunwell.store.private_files import TooOpen, keep_to_owner, own_file, own_folder
from dunwell.store.schema import migrate


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_f2_a_new_database_and_its_folder_are_their_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "state" / "dunwell.sqlite"
    database = Database(f"sqlite:///{file}")
    migrate(database)
    beside = {path.name: mode(path) for path in file.parent.iterdir()}
    database.close()
    assert mode(file.parent) == 0o700
    assert set(beside.values()) == {0o600}, beside


@pytest.mark.parametrize("wider", [0o644, 0o660, 0o606])
def test_f2_a_database_that_others_may_use_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, wider: int
) -> None:
    file = tmp_path / "it's.sqlite"
    own_file(file)
    file.chmod(wider)
    with pytest.raises(TooOpen) as refused:
        Database(f"sqlite:///{file}")
    command = str(refused.value).partition("`")[2].partition("`")[0]
    assert os.system(command) == 0
    Database(f"sqlite:///{file}").close()


def test_f2_a_folder_that_others_may_look_into_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    own_folder(folder)
    own_folder(folder)
    folder.chmod(0o755)
    with pytest.raises(TooOpen, match=r"mode 755.*`chmod 700 "):
        own_folder(folder)


def test_f2_files_made_later_are_their_owners_only(tmp_path: Path) -> None:
    keep_to_owner()
    (tmp_path / "log").write_text("x")
    assert mode(tmp_path / "log") == 0o600


def test_f2_a_database_file_is_made_when_something_is_kept_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "dunwell.sqlite"
    database = Database(f"sqlite:///{path}")
    assert not path.parent.exists()
    migrate(database)
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(TooOpen):
        Database(f"sqlite:///{path}")
