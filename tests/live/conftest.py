from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.live.plant import Plant, plant_in


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with plant_in(tmp_path) as plant:
        yield plant
