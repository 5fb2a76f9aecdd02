-- on an empty database
CREATE VIRTUAL TABLE paints USING hnsw(name TEXT PRIMARY KEY, price REAL, rgb FLOAT[3], metric = 'l2');

INSERT INTO paints(name, price, rgb) VALUES
  ('brick', 12.5, '[0.70, 0.25, 0.20]'),
  ('coral', 14.0, '[1.00, 0.50, 0.30]'),
  ('moss',   9.0, '[0.35, 0.45, 0.20]'),
  ('ink',   11.0, '[0.05, 0.10, 0.35]');

SELECT name, round(distance, 3) FROM paints WHERE rgb MATCH '[0.9, 0.4, 0.3]' ORDER BY distance LIMIT 2;
