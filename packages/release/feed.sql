-- Writes to the table of base.sql, and pages of it: the same rows, digits and bytes on every CPU and system.
SELECT value FROM hnsw_info('feed') WHERE key = 'format_version';
SELECT substr(vecrank_version(), 1, instr(vecrank_version(), ',') - 1);
INSERT INTO feed SELECT * FROM made WHERE id > 480;
DELETE FROM feed WHERE id % 11 = 3;
UPDATE feed SET taste = (SELECT taste FROM made WHERE id = 5), price = 7 WHERE id = 550;
INSERT INTO feed(feed) VALUES ('integrity-check');
SELECT id, printf('%!.17g', distance) FROM feed WHERE taste MATCH (SELECT vec_avg(taste) FROM feed WHERE id IN (2, 9, 16)) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE taste MATCH (SELECT taste FROM feed WHERE id = 50) ORDER BY distance LIMIT 20 OFFSET 200;
SELECT id, printf('%!.17g', distance) FROM feed
WHERE taste MATCH (SELECT taste FROM feed WHERE id = 50) AND category = 'c3' AND price BETWEEN 20 AND 60 ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE look MATCH (SELECT look FROM feed WHERE id = 77) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE text MATCH (SELECT text FROM feed WHERE id = 79) ORDER BY distance LIMIT 20;
SELECT id, printf('%!.17g', distance) FROM feed WHERE mark MATCH (SELECT mark FROM feed WHERE id = 79) ORDER BY distance LIMIT 20;

-- The bulk build may link other nodes on another CPU, so its table is in no file, and its page is an exact one.
ATTACH ':memory:' AS apart;
CREATE VIRTUAL TABLE apart.built USING hnsw(id INTEGER PRIMARY KEY, taste FLOAT[96]);
INSERT INTO built SELECT id, taste FROM feed;
INSERT INTO built(built) VALUES ('rebuild');
INSERT INTO built(built) VALUES ('integrity-check');
SELECT id, printf('%!.17g', distance) FROM built
WHERE taste MATCH (SELECT taste FROM feed WHERE id = 50) AND ef_search = 'exact' ORDER BY distance LIMIT 20;
