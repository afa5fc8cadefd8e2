import signal
import subprocess
import sys
from pathlib import Path


def test_ctrl_c_cancels_the_verb_before_the_node_closes(tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("held_publish.py"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"BITCLOUD_HOME": str(tmp_path)},
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "publishing\n"
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert out == "closed after ['publish']\n"
    assert err == "bitcloud: interrupted; run the same command again to go on\n"
    assert program.returncode == 130
