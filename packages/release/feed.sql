-- A feed from the first row to its pages, made of whole numbers, so that the same bits come on every CPU and system.
-- It has every element and metric, inserts, an update, deletes, the bulk build, filters and deep pages.
CREATE VIRTUAL TABLE feed USING hnsw(
  id INTEGER PRIMARY KEY, category TEXT INDEXED, price REAL,
  taste FLOAT[96], look FLOAT16[33], text INT8[40], mark BIT[64],
  look.metric = 'l2', text.metric = 'dot'
);
CREATE TEMP TABLE numbers(i INTEGER PRIMARY KEY);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO numbers SELECT i FROM n;
-- Pseudo-random in -1000 to 1000; rows of one category share most of their direction.
CREATE TEMP VIEW vectors AS
SELECT n.i,
  (SELECT json_group_array(((n.i * 7919 + j.i * 104729 + n.i * j.i * 31) % 2001 - 1000 + (n.i % 7 * j.i * 977) % 4001) / 8.0)
    FROM numbers j WHERE j.i <= 96) AS taste,
  (SELECT json_group_array(((n.i * 6101 + j.i * 7907 + n.i * j.i * 17) % 2001 - 1000) / 64.0) FROM numbers j WHERE j.i <= 33) AS look,
  (SELECT json_group_array((n.i * 4523 + j.i * 6701 + n.i * j.i * 13) % 255 - 127) FROM numbers j WHERE j.i <= 40) AS text,
  (SELECT json_group_array((n.i * 3607 + j.i * 5003 + n.i * j.i * 7) / 3 % 2) FROM numbers j WHERE j.i <= 64) AS mark
FROM numbers n;

INSERT INTO feed SELECT i, 'c' || i % 7, i * 37 % 101, taste, look, text, mark FROM vectors WHERE i <= 480;
INSERT INTO feed(feed) VALUES ('rebuild');
INSERT INTO feed SELECT i, 'c' || i % 7, i * 37 % 101, taste, look, text, mark FROM vectors WHERE i > 480;
DELETE FROM feed WHERE id % 11 = 3;
UPDATE feed SET taste = (SELECT taste FROM vectors WHERE i = 5), price = 7 WHERE id = 550;
INSERT INTO feed(feed) VALUES ('optimize');
INSERT INTO feed(feed) VALUES ('integrity-check');

SELECT value FROM hnsw_info('feed') WHERE key = 'format_version';
SELECT substr(vecrank_version(), 1, instr(vecrank_version(), ',') - 1);
SELECT id, printf('%!.17g', distance) FROM feed WHERE taste MATCH (SELECT vec_avg(taste) FROM feed WHERE id IN (2, 9, 16)) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE taste MATCH (SELECT taste FROM feed WHERE id = 50) ORDER BY distance LIMIT 20 OFFSET 200;
SELECT id, printf('%!.17g', distance) FROM feed
WHERE taste MATCH (SELECT taste FROM feed WHERE id = 50) AND category = 'c3' AND price BETWEEN 20 AND 60 ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE look MATCH (SELECT look FROM feed WHERE id = 77) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE text MATCH (SELECT text FROM feed WHERE id = 77) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE mark MATCH (SELECT mark FROM feed WHERE id = 77) ORDER BY distance LIMIT 20;
