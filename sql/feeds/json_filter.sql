-- Filters on JSON: a generated column is a column of the index, so its terms go to the search and its index serves them. An
-- expression that has no column is tested by SQLite on each row; with an index on the expression, IN finds the rows first.
CREATE TABLE products(
  id INTEGER PRIMARY KEY, name TEXT, attributes TEXT, embedding BLOB,
  brand TEXT AS (attributes ->> 'brand')
);
INSERT INTO products(name, attributes, embedding)
  SELECT main_name, json_object('brand', brand, 'rating', rating), embedding FROM articles WHERE category = 'Tents';
CREATE INDEX products_by_brand ON products(brand);
CREATE INDEX products_by_rating ON products(attributes ->> 'rating');
CREATE VIRTUAL TABLE products_near USING hnsw(content = 'products', embedding FLOAT[256], metric = 'cosine');

SELECT name, brand FROM products_near
WHERE embedding MATCH (SELECT embedding FROM products WHERE id = 1) AND brand IN ('Grendia', 'Tarnow')
ORDER BY distance LIMIT 3;

SELECT name, attributes ->> 'rating' AS rating FROM products_near
WHERE embedding MATCH (SELECT embedding FROM products WHERE id = 1)
  AND id IN (SELECT id FROM products WHERE attributes ->> 'rating' > 4.5)
ORDER BY distance LIMIT 3;
