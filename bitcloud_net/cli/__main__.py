"""``python -m bitcloud_net.cli``: the same as ``bitcloud``."""

import sys

from bitcloud_net.cli import main

sys.exit(main())
