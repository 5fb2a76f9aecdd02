"""vecrank's tables in bytes, as hnsw_info tells them."""

from adapters.vecrank import Vecrank
from measure import figure, table


def sizes(peer: Vecrank) -> None:
    raw = peer.setup.count * peer.setup.dims * 4
    told = peer.cursor.execute("SELECT key, value FROM hnsw_info('products') WHERE key LIKE '%bytes%'").fetchall()
    print("### Sizes\n")
    rows = [[str(key), f"{float(value) / 1e6:.1f}", figure(float(value) / raw)] for key, value in told]
    table(["shadow table", "MB", "x raw f32"], rows)
