-- Bits first: an index of the signs alone, and the embeddings in an ordinary table. The inner search finds the 100 rows
-- whose signs are nearest; the outer query ranks these by the embeddings, exactly.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
CREATE TABLE items(id INTEGER PRIMARY KEY, article_id TEXT, name TEXT, embedding BLOB,
                   signs BLOB GENERATED ALWAYS AS (vec_bit(embedding)));
INSERT INTO items(article_id, name, embedding) SELECT article_id, main_name, embedding FROM articles;
CREATE VIRTUAL TABLE items_near USING hnsw(content = 'items', signs BIT[256]);

SELECT article_id, name, round(vec_cosine(embedding, :taste), 4)
FROM (SELECT id FROM items_near WHERE signs MATCH vec_bit(:taste) ORDER BY distance LIMIT 100) JOIN items USING (id)
ORDER BY vec_cosine(embedding, :taste), id LIMIT 5;

-- The true order, from the table with FLOAT vectors:
SELECT article_id, main_name, round(distance, 4) FROM articles
WHERE embedding MATCH :taste AND ef_search = 'exact' ORDER BY distance LIMIT 5;
