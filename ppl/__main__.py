"""`python -m ppl` is `ppl`."""

from ppl.cli import main

main()
