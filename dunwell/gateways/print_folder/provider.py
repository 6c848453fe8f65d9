"""The print folder's row: letters that people of ours print and post, while no printing service is set up."""

from pathlib import Path

from dunwell.domain.channels import Channel
from dunwell.gateways.base import MessageGateway
from dunwell.gateways.print_folder.client import NAME, PrintFolderGateway
from dunwell.gateways.provider import Printing, Provider
from dunwell.gateways.setting_fields import SharedSettings


def _folder(settings: SharedSettings) -> Path:
    """Where letters wait for somebody who prints and posts them."""
    return settings.dunwell_state / "letters"


def _make(settings: SharedSettings) -> MessageGateway:
    return PrintFolderGateway(_folder(settings))


def _described(settings: SharedSettings) -> str:
    return f"{_folder(settings)}, to be printed and posted (.venv/bin/python starter.py letters)"


PROVIDERS = (
    Provider(NAME, Channel.LETTER, _make, described=_described, printing=Printing(folder=_folder), standby=True),
)
