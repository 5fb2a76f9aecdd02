-- on an empty database
CREATE TABLE items(code TEXT PRIMARY KEY, taste BLOB);
CREATE VIRTUAL TABLE items_near USING hnsw(content = 'items', taste FLOAT[2], metric = 'l2', sync = 'log');
INSERT INTO items VALUES ('a', '[1, 1]'), ('b', '[2, 2]'), ('c', '[7, 7, 7]');

SELECT code, distance FROM items_near WHERE taste MATCH '[2, 1]' ORDER BY distance;

SELECT key, value FROM hnsw_info('items_near') WHERE key IN ('content', 'sync', 'logged', 'logged_wrong');

EXPLAIN QUERY PLAN SELECT code FROM items_near WHERE taste MATCH '[2, 1]' ORDER BY distance;

INSERT INTO items_near(items_near) VALUES ('fold');
SELECT value FROM hnsw_info('items_near') WHERE key = 'logged';
