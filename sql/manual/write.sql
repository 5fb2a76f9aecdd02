-- on an empty database
CREATE VIRTUAL TABLE paints USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, rgb FLOAT[3], metric = 'l2');

BEGIN;
INSERT INTO paints VALUES (1, 'brick', '[0.7, 0.25, 0.2]'), (2, 'coral', vec_parse('[1, 0.5, 0.3]'));
INSERT OR REPLACE INTO paints VALUES (2, 'coral', '[1, 0.45, 0.35]');
UPDATE paints SET rgb = vec_scale(rgb, 0.5) WHERE name = 'brick';
SAVEPOINT doubt;
DELETE FROM paints;
ROLLBACK TO doubt;
COMMIT;

SELECT id, name, vec_json(rgb) FROM paints;
