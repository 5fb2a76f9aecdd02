"""The script makes the shipped sample catalogue."""
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq

from hosts import ROOT

FOLDER = ROOT / "examples" / "catalogue"


def test_script_makes_the_shipped_file(tmp_path):
    remade = tmp_path / "catalogue.parquet"
    subprocess.run([sys.executable, FOLDER / "make_catalogue.py", "--out", remade], check=True, capture_output=True)
    old, new = pq.read_table(FOLDER / "catalogue.parquet"), pq.read_table(remade)
    assert new.schema == old.schema
    assert new.drop_columns("embedding") == old.drop_columns("embedding")
    # The sums in the embeddings may differ in the last bit between CPUs: one unit in the last place of a float16 is allowed.
    vectors = [table["embedding"].combine_chunks().flatten().to_numpy() for table in (old, new)]
    np.testing.assert_allclose(vectors[1], vectors[0], rtol=2**-10, atol=2**-14)


def test_catalogue_agrees_with_its_readme():
    table = pq.read_table(FOLDER / "catalogue.parquet")
    readme = (FOLDER / "README.md").read_text("utf8")
    for column in table.column_names:
        assert f"| `{column}` |" in readme
    assert f"{table.num_rows:,} articles" in readme
    assert f"in {len(table['category'].unique())} categories" in readme
    assert f"{len(table['brand'].unique())} invented brands" in readme
    vectors = table["embedding"].to_pylist()
    assert len(vectors) - len(set(map(tuple, vectors))) == 12
