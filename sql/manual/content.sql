-- on an empty database
CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, brand TEXT, price REAL, embedding BLOB);
CREATE INDEX products_by_brand ON products(brand);
INSERT INTO products(name, brand, price, embedding) VALUES
  ('lamp', 'Norr', 40, '[1, 0, 0]'), ('desk lamp', 'Norr', 25, '[0.9, 0.1, 0]'), ('rug', 'Vea', 90, '[0, 1, 0.2]');

CREATE VIRTUAL TABLE products_near USING hnsw(content = 'products', embedding FLOAT[3], metric = 'cosine');

INSERT INTO products(name, brand, price, embedding) VALUES ('lantern', 'Vea', 15, '[0.8, 0, 0.3]')
  ON CONFLICT DO NOTHING RETURNING id, name;
UPDATE products SET price = price * 2 WHERE name = 'desk lamp';
DELETE FROM products WHERE name = 'lamp';

SELECT name, price, round(distance, 3) FROM products_near WHERE embedding MATCH '[1, 0, 0]' ORDER BY distance LIMIT 2;

SELECT name FROM products_near WHERE embedding MATCH '[1, 0, 0]' AND brand = 'Vea' ORDER BY distance;

DELETE FROM products_near;
