import dataclasses

from bitcloud_net.api import TransferState
from bitcloud_net.cli.progress import line
from bitcloud_net.testing.fake_client import transfer


def test_a_line_says_how_far_how_fast_and_how_long() -> None:
    shown = line(transfer(), 120)
    assert shown.startswith("[######..................]  25%")
    assert "512 bytes of 2.05 KB  256 bytes/s  6 s left  Dawn.webm" in shown


def test_a_waiting_transfer_says_why() -> None:
    waiting = dataclasses.replace(
        transfer(), state=TransferState.AT_RISK, reason="waiting for 2 more receipts"
    )
    assert line(waiting, 120).endswith("waiting for 2 more receipts")


def test_a_line_fits_the_terminal_and_holds_no_control_characters() -> None:
    evil = dataclasses.replace(transfer(), title="\x1b[2J" + "x" * 500, bytes_total=0)
    shown = line(evil, 60)
    assert len(shown) < 60
    assert "\x1b" not in shown
    folder = dataclasses.replace(transfer(), files_done=3, files_total=3)
    assert "file 3 of 3" in line(folder, 200)
