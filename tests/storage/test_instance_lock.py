"""One program at a time in a directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bitcloud_net.core.errors import LocalFault
from bitcloud_net.storage.instance_lock import instance_lock

HOLD = """
import sys
from pathlib import Path
from bitcloud_net.storage.instance_lock import instance_lock
with instance_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_program_is_told_who_holds_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with instance_lock(home):
        with pytest.raises(LocalFault) as caught, instance_lock(home, code="store-in-use"):
            pass
        assert caught.value.code == "store-in-use"
        assert caught.value.detail["pid"] == os.getpid()
        assert (home / "lock").stat().st_mode & 0o777 == 0o600
    with instance_lock(home):
        pass


def test_a_killed_program_leaves_no_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LocalFault) as caught, instance_lock(tmp_path):
            pass
        assert caught.value.detail["pid"] == holder.pid
        holder.kill()
    with instance_lock(tmp_path):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalFault), instance_lock(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
