"""``python -m djfast``."""

import sys

from djfast.cli.main import main

sys.exit(main())
