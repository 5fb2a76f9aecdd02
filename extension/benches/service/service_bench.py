#!/usr/bin/env python3
"""The feed service in Python, `vecrank serve`, and the same service on DuckDB VSS, side by side under wrk.

Every request asks for 20 rows like one row, another row each time. Prints, per service and number of connections, requests
per second and the latencies that wrk measured, and per service the time from the start of the process to the first page
(the median of several starts, with the file in the page cache). The services run one after the other; each round runs
all of them, and the table has the best round of each, so that what else the machine does counts less.

    python3 extension/benches/service/service_bench.py

needs wrk (Debian), a release build, and a Python that loads extensions, from which it makes an environment.
"""
import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SERVICE = ROOT / "examples" / "service"

LUA = """
local number, rows = 0, {rows}
request = function()
  number = (number * 1103515245 + 12345) % 2147483648
  local body = string.format('{{"liked": ["A%05d"], "limit": 20}}', number % rows + 1)
  return wrk.format("POST", "/feed", {{["Content-Type"] = "application/json"}}, body)
end
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), summary.errors.status + summary.errors.read, summary.errors.timeout))
end
"""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path, default=ROOT / "target", help="the Cargo target directory with the release build")
    parser.add_argument("--parquet", type=Path, default=ROOT / "examples" / "catalogue" / "catalogue.parquet")
    parser.add_argument("--rows", type=int, default=5000, help="rows of the Parquet file, with keys A00001 and so on")
    parser.add_argument("--connections", default="1,8,64", help="of wrk")
    parser.add_argument("--seconds", type=int, default=5, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python whose sqlite3 loads extensions")
    return parser.parse_args()


def environment(arguments: argparse.Namespace) -> Path:
    folder = arguments.target / "service-bench"
    if not (folder / "done").exists():
        subprocess.run([arguments.python, "-m", "venv", "--clear", folder], check=True)
        lists = [part for file in (SERVICE, HERE) for part in ("-r", file / "requirements.txt")]
        subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "-q", *lists], check=True)
        (folder / "done").touch()
    return folder / "bin" / "python"


def services(arguments: argparse.Namespace, folder: Path) -> dict[str, tuple[list, dict]]:
    """The command and the environment of each, over files that are made here."""
    python, release = environment(arguments), arguments.target / "release"
    keys = ["--table", "articles", "--key", "article_id"]
    subprocess.run([release / "vecrank", "import", arguments.parquet, folder / "feed.db", *keys], check=True, capture_output=True)
    subprocess.run([python, HERE / "duckdb_service.py", folder / "feed.duckdb", "--build", arguments.parquet], check=True)
    settings = {"FEED_DATABASE": str(folder / "feed.db"), "VECRANK_LIBRARY": str(release / "libvecrank.so"), "FEED_CONNECTIONS": "4"}
    return {
        "vecrank serve": ([release / "vecrank", "serve", folder / "feed.db", "--connections", "4"], {}),
        "FastAPI, vecrank": ([python, SERVICE / "service.py"], settings),
        "FastAPI, DuckDB VSS": ([python, HERE / "duckdb_service.py", folder / "feed.duckdb"], {}),
    }


class Running:
    def __init__(self, command: list, settings: dict):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        began = time.perf_counter()
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=settings, stderr=subprocess.DEVNULL)
        self.page = self.first_page()
        self.seconds = time.perf_counter() - began

    def first_page(self) -> list[str]:
        body = json.dumps({"liked": ["A00018"], "limit": 20}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/feed", body, {"Content-Type": "application/json"})
        while self.process.poll() is None:
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    return [row["article_id"] for row in json.load(response)["rows"]]
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.001)
        sys.exit(f"a service ended: {self.process.args}")

    def measure(self, connections: int, seconds: int, script: Path) -> tuple[float, int, int, int]:
        """Requests per second, p50 and p99 in microseconds, and the requests that took more than 2 seconds."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script, f"http://127.0.0.1:{self.port}"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        requests, microseconds, p50, p99, errors, late = map(int, re.search(r"RESULT (.*)", output)[1].split())
        if errors:
            sys.exit(f"{errors} requests failed: {self.process.args}")
        return requests / microseconds * 1e6, p50, p99, late

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def main() -> None:
    arguments = options()
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "feed.lua"
        script.write_text(LUA.format(rows=arguments.rows))
        there = services(arguments, folder)
        numbers = [int(number) for number in arguments.connections.split(",")]
        best: dict[tuple, tuple] = {}
        pages = {}
        for _ in range(arguments.rounds):
            for label, command in there.items():
                running = Running(*command)
                pages[label] = running.page
                for connections in numbers:
                    found = running.measure(connections, arguments.seconds, script)
                    best[label, connections] = max(best.get((label, connections), (0,)), found)
                running.stop()
        print(f"{arguments.rows} rows, 20 rows per page, best of {arguments.rounds} rounds of {arguments.seconds} s\n")
        print("| service | connections | requests/s | p50, ms | p99, ms | over 2 s |\n|---|--:|--:|--:|--:|--:|")
        for (label, connections), (rate, p50, p99, late) in best.items():
            measured = f"{p50 / 1000:.2f} | {p99 / 1000:.2f}" if p50 else "- | -"
            print(f"| {label} | {connections} | {rate:.0f} | {measured} | {late} |")
        print("\n| service | start to first page, ms |\n|---|--:|")
        for label, command in there.items():
            seconds = []
            for _ in range(arguments.starts):
                running = Running(*command)
                seconds.append(running.seconds)
                running.stop()
            print(f"| {label} | {1000 * statistics.median(seconds):.0f} |")
        ours = set(pages["vecrank serve"])
        print(f"\nrows of one page in common with vecrank serve: {({label: len(ours & set(page)) for label, page in pages.items()})}")


if __name__ == "__main__":
    main()
