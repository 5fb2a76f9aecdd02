"""Not a skip: under CI a skipped test fails the run."""
import os

collect_ignore = [] if os.environ.get("VECRANK_LONG") == "1" else ["test_long.py"]
