"""``python -m bitcloud_net.testgrid``: the supervisor as a process of its own."""

import sys

from bitcloud_net.testgrid.supervisor import main

sys.exit(main())
