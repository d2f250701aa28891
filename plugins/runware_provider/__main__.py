"""`python -m runware_provider`."""

import sys

from runware_provider.command_line import main

sys.exit(main())
