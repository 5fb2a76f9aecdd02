-- Words and meaning over one ordinary table: FTS5 and hnsw index the same rows, by the same key, and each keeps itself up to
-- date by triggers (FTS5 needs one for DELETE and one for UPDATE too: its manual has them). The blend is reciprocal rank fusion.
CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, description TEXT, embedding BLOB);
CREATE VIRTUAL TABLE products_words USING fts5(name, description, content = 'products', content_rowid = 'id');
CREATE TRIGGER products_said AFTER INSERT ON products BEGIN
  INSERT INTO products_words(rowid, name, description) VALUES (new.id, new.name, new.description);
END;
CREATE VIRTUAL TABLE products_near USING hnsw(content = 'products', embedding FLOAT[256], metric = 'cosine');
INSERT INTO products(name, description, embedding)
  SELECT main_name, description, embedding FROM articles WHERE category IN ('Tents', 'Rain jackets', 'Backpacks', 'Hiking boots');

WITH near AS MATERIALIZED (
       SELECT id FROM products_near
       WHERE embedding MATCH (SELECT embedding FROM articles WHERE article_id = 'A00018') ORDER BY distance LIMIT 50
     ),
     said AS MATERIALIZED (
       SELECT rowid AS id FROM products_words WHERE products_words MATCH 'jacket OR tent' ORDER BY rank, rowid LIMIT 50
     ),
     votes AS (
       SELECT id, 1.0 / (60 + row_number() OVER ()) AS vote FROM near
       UNION ALL
       SELECT id, 1.0 / (60 + row_number() OVER ()) FROM said
     )
SELECT name, round(sum(vote), 4) AS score FROM votes JOIN products USING (id)
GROUP BY id ORDER BY sum(vote) DESC, id LIMIT 4;
