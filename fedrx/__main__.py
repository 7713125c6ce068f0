"""``python -m fedrx`` is ``fedrx``."""

from fedrx.main import main

main()
