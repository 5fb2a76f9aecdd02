"""Two ranked pages and a filtered one of the sample catalogue: pip install vecrank, then python feed.py [FEED]."""
import sqlite3
import sys

import vecrank

db = sqlite3.connect(sys.argv[1] if len(sys.argv) > 1 else "feed.db")
vecrank.load(db)  # On a Python without extension loading: vecrank.auto() before sqlite3.connect().

# The taste of someone who liked a tent, a pair of mountain boots and a rain jacket: the mean of their vectors.
liked = db.execute("SELECT embedding FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153')").fetchall()
vectors = [vecrank.from_vector(embedding) for (embedding,) in liked]
taste = vecrank.vector([sum(numbers) / len(vectors) for numbers in zip(*vectors)])


def page(number: int, filters: str = "") -> None:
    sql = f"""SELECT article_id, main_name, retail_price, distance FROM articles
        WHERE embedding MATCH ? {filters} ORDER BY distance LIMIT 8 OFFSET ?"""
    for article, name, price, distance in db.execute(sql, (taste, 8 * (number - 1))):
        print(f"{article}  {distance:.3f}  {price:8.2f}  {name}")
    print()


page(1)
page(2)
page(1, "AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0")
