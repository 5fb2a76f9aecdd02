#!/usr/bin/env python3
"""vecrank and its peers on the same data and queries, in turns, in one run.

    python3 -m venv target/peers && target/peers/bin/pip install -r extension/benches/peers/requirements.txt
    cargo build --release && cargo build --release -p vecrank --example hnsw_rs_peer
    target/peers/bin/python extension/benches/peers/peers.py --products products.parquet --queries queries.parquet

`--products` is a Parquet file with a list<float> column `embedding`; `--queries` one with `embedding` and, if it has
several kinds of query, `kind`. Without `--queries` the last 1,000 products are held out as queries. Exact answers are
computed here.

Times are CPU times: builds of all threads, searches a query on one thread. Searches take turns, peer by peer and step
by step, for several rounds, so that a noisy machine slows all sides: read the ratios. Recall is made equal by
interpolation between the steps of each peer's own ladder of ef. `--work` keeps what was built for the next run.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

from setup import Setup, one_thread

one_thread()

import data  # noqa: E402
from adapters import OURS, PEERS, Peer, make  # noqa: E402
from adapters.vecrank import Float16, Int8  # noqa: E402
from parts import build, cold, deep, defaults, elements, plot, search, sizes, writes  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
PARTS = ["build", "search", "defaults", "cold", "deep", "writes", "elements", "sizes"]
COLD = ["hnswlib", "usearch", "duckdb-vss", "vectorlite"]
PLAIN = "vecrank, node cache"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=pathlib.Path, required=True)
    parser.add_argument("--queries", type=pathlib.Path)
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of {','.join(PEERS)}; '' for vecrank alone")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)}")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release", help="where cargo left its work")
    parser.add_argument("--work", type=pathlib.Path, help="a folder that keeps the built files")
    parser.add_argument("--svg", type=pathlib.Path, help="where to draw recall against latency")
    parser.add_argument("--details", action="store_true", help="print every step of every ladder")
    parser.add_argument("--import-args", default="", help="more arguments for `vecrank import`")
    parser.add_argument(
        "--columns",
        default="article_id,main_name,retail_price",
        help="columns that a page returns; the first identifies a row",
    )
    parser.add_argument("--rounds", type=int, default=5, help="that are counted; one more goes before")
    parser.add_argument("--query-limit", type=int, default=300, help="queries of each kind")
    parser.add_argument("--step-seconds", type=float, default=5, help="a slow peer does fewer queries a step")
    parser.add_argument("--cold-runs", default="50,10", help="processes a peer, with and without the system's cache")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of builds")
    return parser.parse_args()


def chosen(text: str, known: list[str], what: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise SystemExit(f"--{what}: no {name!r}; there are {', '.join(known)}")
    return names


def checked(names: list[str], setup: Setup) -> dict[str, Peer]:
    peers = {}
    for name in names:
        try:
            peers[name] = make(name, setup)
            peers[name].check()
        except Exception as error:
            raise SystemExit(f"{name} is not installed, and --peers asks for it: {error!r}") from error
    return peers


def guard_work(work: pathlib.Path, products: pathlib.Path, count: int) -> None:
    """Built files belong to one Parquet file."""
    stamp = {"products": str(products.resolve()), "bytes": products.stat().st_size, "count": count}
    file = work / "data.json"
    if file.exists() and json.loads(file.read_text()) != stamp:
        raise SystemExit(f"--work {work} belongs to other data: {file.read_text()}")
    file.write_text(json.dumps(stamp))


def run(args: argparse.Namespace, work: pathlib.Path) -> None:
    parts = chosen(args.parts, PARTS, "parts")
    names = chosen(args.peers, list(PEERS), "peers")
    products, base, queries = data.load(args.products, args.queries, work)
    guard_work(work, args.products, len(base))
    vectors = work / "base.f32"
    base.tofile(vectors)
    setup = Setup(
        products=str(products.resolve()),
        base=str(vectors),
        count=len(base),
        dims=base.shape[1],
        work=str(work),
        bin=str(args.bin.resolve()),
        columns=args.columns.split(","),
        threads=args.threads,
        import_args=args.import_args.split(),
    )
    setup_file = setup.write()
    ours, peers = checked(list(OURS), setup), checked(names, setup)
    print(f"{len(base)} vectors of {base.shape[1]} dimensions, {len(queries.vectors)} queries.", end=" ")
    print(", ".join(f"{name} {peer.version()}" for name, peer in [("vecrank", ours[PLAIN]), *peers.items()]), "\n")

    records = {"vecrank": build.built(PLAIN, ours[PLAIN], setup_file)}
    records |= {name: build.built(name, peer, setup_file) for name, peer in peers.items()}
    if "build" in parts:
        build.report(records, base.nbytes)
    everybody = ours | peers
    if "cold" in parts:
        own = {PLAIN: ours[PLAIN]} | {name: peers[name] for name in COLD if name in peers}
        cold.cold(own, setup_file, queries.vectors, tuple(map(int, args.cold_runs.split(","))))
    opened = {name: peer for name, peer in everybody.items() if name in OURS or {"search", "deep"} & set(parts)}
    for peer in opened.values():
        peer.open()
    if "search" in parts:
        results = search.search(everybody, base, queries, args)
        search.report(results, args.rounds)
        if args.details:
            search.details(results)
        if args.svg:
            plot.plot(results, f"{len(base):,} vectors of {base.shape[1]} dimensions, one thread", args.svg)
    if "defaults" in parts:
        defaults.defaults(ours[PLAIN], base, queries)
    if "deep" in parts:
        deep.deep(ours, peers.get("hnswlib"), base, queries, args.query_limit)
    if "sizes" in parts:
        sizes.sizes(ours[PLAIN])
    for peer in opened.values():
        peer.close()
    if "writes" in parts:
        writing = {"vecrank": ours[PLAIN]} | {name: peer for name, peer in peers.items() if peer.is_writable}
        writes.writes(writing, queries)
    if "elements" in parts:
        run_elements(setup, setup_file, base, queries, args)


def run_elements(setup: Setup, setup_file: str, base, queries, args: argparse.Namespace) -> None:
    names = {"FLOAT": PLAIN, "FLOAT16": Float16.name, "INT8": Int8.name}
    peers = {element: make(name, setup) for element, name in names.items()}
    records = {element: build.built(names[element], peer, setup_file) for element, peer in peers.items()}
    for peer in peers.values():
        peer.open()
    elements.elements(peers, records, base, queries, args)
    for peer in peers.values():
        peer.close()


def main() -> None:
    args = arguments()
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        return run(args, args.work.resolve())
    with tempfile.TemporaryDirectory() as folder:
        run(args, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
