"""A test grid whose node processes do nothing but report and wait. Run as a program by the
tests."""

import json
import os
import select
import sys
from pathlib import Path

from bitcloud_net.testgrid.launcher import Launcher
from bitcloud_net.testgrid.node_process import NodePlan
from bitcloud_net.testgrid.supervisor import run_supervisor


def run(plan: NodePlan, *, report_fd: int, life_fd: int) -> None:
    if (plan.home / "broken").exists():
        raise SystemExit("the disk of this node is broken")
    (plan.home / "pid").write_text(str(os.getpid()))
    (plan.home / "bootstrap").write_text("\n".join(plan.bootstrap))
    address = f"/ip4/127.0.0.1/tcp/{plan.port}/p2p/node{plan.index}"
    report = {"node": f"node{plan.index}", "address": address}
    os.write(report_fd, json.dumps(report).encode() + b"\n")
    os.write(report_fd, json.dumps({"used_bytes": 100 + plan.index}).encode() + b"\n")
    select.select([life_fd], [], [])


if __name__ == "__main__":
    home, count, *more = sys.argv[1:]
    run_supervisor(Path(home), int(count), launcher=Launcher(run), until_stdin_closes=bool(more))
