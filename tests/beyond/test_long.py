"""What is run by VECRANK_LONG=1 alone, for what it installs."""
from examples import example


def test_a_feed_goes_to_pgvector_and_back():
    said = example("postgresql.py")
    assert "the exact 100 nearest of 100 queries are the same" in said and "the vectors byte for byte" in said
