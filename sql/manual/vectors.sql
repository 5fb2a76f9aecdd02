-- on an empty database
CREATE VIRTUAL TABLE shop USING hnsw(
  name TEXT PRIMARY KEY, words FLOAT16[4], image INT8[2] NOT NULL, image.metric = 'l2', image.m = 8
);
INSERT INTO shop VALUES ('lamp', '[1, 0.5, 0, 0]', '[100, -3]'), ('rug', NULL, '[90, 5]'), ('jug', '[0, 1, 0, 1]', '[-7, 8]');

SELECT name, round(distance, 3) FROM shop WHERE words MATCH '[1, 1, 0, 0]' ORDER BY distance;

SELECT name, round(distance, 3) FROM shop WHERE image MATCH '[95, 0]' ORDER BY distance;

SELECT name, hex(words), vec_json(image) FROM shop WHERE name = 'lamp';
