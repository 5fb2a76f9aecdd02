-- Soft-deleted rows: an index over a table whose rows are marked, not removed. The filter goes to the search, so pages stay
-- full; a trigger of your own may set the vector to NULL instead, which takes the row out of the graph.
CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, deleted_at TEXT, embedding BLOB);
INSERT INTO products(name, embedding) SELECT main_name, embedding FROM articles WHERE category = 'Tents';
CREATE INDEX products_live ON products(deleted_at);
CREATE VIRTUAL TABLE products_near USING hnsw(content = 'products', embedding FLOAT[256], metric = 'cosine');

UPDATE products SET deleted_at = '2025-10-01' WHERE id % 2 = 0;

SELECT id, name FROM products_near
WHERE embedding MATCH (SELECT embedding FROM products WHERE id = 1) AND deleted_at IS NULL
ORDER BY distance LIMIT 4;

UPDATE products SET embedding = NULL WHERE deleted_at IS NOT NULL;

SELECT key, value FROM hnsw_info('products_near') WHERE key IN ('rows', 'nodes', 'deleted');
