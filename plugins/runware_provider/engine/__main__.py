"""`python -m runware_provider.engine`."""

import sys

from runware_provider.engine.cli import main

sys.exit(main())
