-- on an empty database
CREATE VIRTUAL TABLE goods USING hnsw(name TEXT PRIMARY KEY, place FLOAT[2]);
INSERT INTO goods VALUES ('jug', '[1, 0]') RETURNING rowid, name;
INSERT OR IGNORE INTO goods VALUES ('jug', '[0, 1]') RETURNING rowid, name;
SELECT rowid, name, vec_json(place) FROM goods;
DELETE FROM goods RETURNING name;
INSERT INTO goods VALUES ('jug', '[0, 1]') ON CONFLICT (name) DO UPDATE SET place = excluded.place;
INSERT OR REPLACE INTO goods VALUES ('jug', '[0, 1]'), ('mug', '[1, 1]');
SELECT rowid, name, vec_json(place) FROM goods;
SELECT count(*) FROM goods WHERE place MATCH NULL;
