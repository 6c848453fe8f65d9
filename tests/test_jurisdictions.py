"""The files of jurisdictions/: each is read without a fault."""

from dunwell.intake.jurisdiction_files import FOLDER, read_jurisdictions, read_series


def test_every_file_is_read() -> None:
    assert set(read_series()) == {path.stem for path in (FOLDER / "rates").glob("*.toml")}
    assert set(read_jurisdictions()) == {path.stem.upper() for path in FOLDER.glob("*.toml")}
