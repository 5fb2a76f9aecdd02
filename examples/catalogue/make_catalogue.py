#!/usr/bin/env python3
"""Make the sample catalogue: a few thousand articles of a shop that doesn't exist, with embeddings.

Every text is put together from the word lists in words.ini, so nothing is copied from anywhere.
The embeddings are those of wordllama's 256-dimension static model, which ships inside its wheel:
they reflect the text, and no network is needed. The same seed gives the same bytes.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_catalogue.py
"""
import argparse
import configparser
import datetime as dt
import math
import pathlib
import random
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).resolve().parent
DIMS = 256
FIRST_LISTED, LAST_LISTED = dt.date(2021, 3, 1), dt.date(2025, 9, 30)
COLOURS = (
    "black, navy, charcoal, moss green, rust, mustard, sand, ivory, burgundy, petrol blue, sage, "
    "terracotta, sky blue, plum, slate grey, natural, forest green, coral"
).split(", ")
STYLES = (
    "classic, lightweight, everyday, compact, slim, sturdy, handmade, minimal, rustic, vintage, "
    "modern, soft, oversized, premium, simple, weatherproof"
).split(", ")
CLOSINGS = (
    "Packed without plastic.",
    "Made in small batches.",
    "Designed by {brand} and checked by hand.",
    "A favourite since {brand} opened its first workshop.",
    "Part of the {series} range.",
    "Makes a fine present.",
)


@dataclass(frozen=True)
class Noun:
    """One kind of thing: what it can be made of and what can be special about it."""

    name: str
    makes: list[str]
    features: list[str]


@dataclass(frozen=True)
class Category:
    name: str
    price: tuple[float, float]
    uses: list[str]
    variants: list[str]
    styles: list[str]
    nouns: list[Noun]


@dataclass(frozen=True)
class Article:
    main_name: str
    description: str
    category: str
    brand: str
    retail_price: float


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def read_category(name: str, section: configparser.SectionProxy) -> Category:
    known = {"price", "uses", "variants", "styles", "nouns", "makes", "features"}
    if "nouns" in section:
        makes, features = words(section["makes"]), words(section["features"])
        nouns = [Noun(noun, makes, features) for noun in words(section["nouns"])]
    else:
        nouns = []
        for noun in (key for key in section if key not in known):
            makes, features = section[noun].split(" / ")
            nouns.append(Noun(noun, words(makes), words(features)))
    low, high = map(float, section["price"].split())
    variants = words(section["variants"]) if "variants" in section else COLOURS
    styles = words(section["styles"]) if "styles" in section else STYLES
    return Category(name, (low, high), words(section["uses"]), variants, styles, nouns)


def read_categories(path: pathlib.Path) -> list[Category]:
    parser = configparser.ConfigParser(delimiters=(":", "="), interpolation=None)
    parser.optionxform = str  # keep the case of "Oxford shoes"
    parser.read_string(path.read_text(encoding="utf8"))
    return [read_category(name, parser[name]) for name in parser.sections()]


def invented_names(rng: random.Random, count: int) -> list[str]:
    """Names made of syllables: brands and product ranges."""
    onsets = "b br d dr f fj g gr h j k kr l m n p r s sk st t tr v w".split()
    middles = "ald arn elm end esk iln imb ind ol ond orr urn ask ett ev und ul".split()
    endings = "a by el en ey holm ia ik in o ow um und y".split()
    names: list[str] = []
    while len(names) < count:
        name = (rng.choice(onsets) + rng.choice(middles) + rng.choice(endings)).capitalize()
        if name not in names:
            names.append(name)
    return names


def sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def describe(rng: random.Random, noun: Noun, make: str, style: str, uses: list[str]) -> str:
    """One or two sentences without articles, so that singular, plural and mass nouns all fit."""
    first, second, *_ = rng.sample(noun.features, len(noun.features))
    use, other = rng.sample(uses, 2)
    return rng.choice(
        [
            f"{sentence(noun.name)} of {make} for {use}, with {first} and {second}.",
            f"Made for {use}. {sentence(make)}, {first}.",
            f"{sentence(first)} and {second}: {noun.name} for {use} and {other}.",
            f"{sentence(style)} {noun.name} with {first}. Good for {use}.",
            f"Just right for {use} or {other}. Of {make}, with {first}.",
            f"{sentence(make)} and {first}. Think of {use}.",
            f"For {use}: {style} {noun.name} with {second}.",
        ]
    )


def shop_price(rng: random.Random, low: float, high: float) -> float:
    """Log-uniform in the range, ending as prices in shops do."""
    price = math.exp(rng.uniform(math.log(low), math.log(high)))
    if price >= 200:
        return float(round(price / 5) * 5 - 1)
    return math.floor(price) + rng.choice([0.0, 0.5, 0.9, 0.95, 0.99])


def family(rng: random.Random, category: Category, brands: list[str], ranges: list[str]) -> list[Article]:
    """One product in one to four variants: near-duplicates that differ in a word and sometimes in price."""
    noun = rng.choice(category.nouns)
    make, style = rng.choice(noun.makes), rng.choice(category.styles)
    brand, series = rng.choice(brands), rng.choice(ranges)
    description = describe(rng, noun, make, style, category.uses)
    if rng.random() < 0.25:
        description += " " + rng.choice(CLOSINGS).format(brand=brand, series=series)
    name = rng.choice(
        [
            f"{series} {noun.name}",
            f"{sentence(style)} {noun.name} of {make}",
            f"{series} {style} {noun.name}",
            f"{sentence(style)} {noun.name}",
            f"{series} {noun.name} of {make}",
        ]
    )
    price = shop_price(rng, *category.price)
    count = rng.choices([1, 2, 3, 4], [45, 30, 17, 8])[0]
    chosen = sorted(rng.sample(range(len(category.variants)), min(count, len(category.variants))))
    sized = category.variants is not COLOURS
    return [
        Article(
            f"{name}, {category.variants[v]}",
            description,
            category.name,
            brand,
            round(price * (1 + 0.4 * place if sized else 1), 2),
        )
        for place, v in enumerate(chosen)
    ]


def make_articles(rng: random.Random, categories: list[Category], rows: int) -> list[Article]:
    brands = invented_names(rng, 160)
    ranges = invented_names(rng, 240)
    sold_by = {c.name: rng.sample(brands, rng.randint(6, 12)) for c in categories}
    weights = [rng.uniform(0.4, 1.6) for _ in categories]
    articles: list[Article] = []
    names: set[str] = set()
    while len(articles) < rows:
        category = rng.choices(categories, weights)[0]
        members = family(rng, category, sold_by[category.name], ranges)
        if not names & {a.main_name for a in members}:
            names |= {a.main_name for a in members}
            articles += members
    # A few articles are listed twice, word for word, at another price: equal vectors do occur.
    for place in rng.sample(range(rows // 2), rows // 400):
        twin = articles[place]
        articles[rows // 2 + place] = replace(twin, retail_price=round(twin.retail_price * 0.85, 2))
    return articles[:rows]


def embed(texts: list[str]) -> np.ndarray:
    """float32 [len(texts), DIMS], rounded to what a float16 holds.

    The rounding moves a cosine distance by about 1e-5, nearly halves the file, and hides the
    last-bit differences between CPUs. Not normalised, as real exports are not.
    """
    import wordllama

    model = wordllama.WordLlama.load(
        dim=DIMS, cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True
    )
    return model.embed(texts, norm=False).astype(np.float16).astype(np.float32)


def make_table(articles: list[Article], vectors: np.ndarray, rng: random.Random) -> pa.Table:
    n = len(articles)
    days = (LAST_LISTED - FIRST_LISTED).days
    listed = sorted(rng.randint(0, days) for _ in range(n))
    stock = [0 if rng.random() < 0.12 else 1 + int(rng.expovariate(1 / 35)) for _ in range(n)]
    ratings = [
        None if rng.random() < 0.15 else round(min(5.0, max(1.0, rng.gauss(4.1, 0.5))), 1) for _ in range(n)
    ]
    offsets = pa.array(np.arange(0, (n + 1) * DIMS, DIMS), pa.int32())
    return pa.table(
        {
            "article_id": [f"A{i:05d}" for i in range(1, n + 1)],
            "main_name": [a.main_name for a in articles],
            "description": [a.description for a in articles],
            "category": [a.category for a in articles],
            "brand": [a.brand for a in articles],
            "retail_price": pa.array([a.retail_price for a in articles], pa.float64()),
            "in_stock": pa.array(stock, pa.int32()),
            "rating": pa.array(ratings, pa.float64()),
            "listed_on": [FIRST_LISTED + dt.timedelta(day) for day in listed],
            "embedding": pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1))),
        }
    )


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--rows", type=int, default=5000)
    args.add_argument("--seed", type=int, default=2025)
    args.add_argument("--out", type=pathlib.Path, default=HERE / "catalogue.parquet")
    a = args.parse_args()
    rng = random.Random(a.seed)
    articles = make_articles(rng, read_categories(HERE / "words.ini"), a.rows)
    vectors = embed([f"{x.main_name}. {x.description} {x.category}" for x in articles])
    pq.write_table(
        make_table(articles, vectors, rng),
        a.out,
        compression="zstd",
        compression_level=12,
        row_group_size=2500,
        use_dictionary=["category", "brand"],
        use_byte_stream_split=["embedding.list.element"],
    )
    print(f"{a.out.name}: {len(articles)} articles, {a.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
