-- Shards: a page of a table that is divided among files. SQLite merges the feeds of all as it reads them, and takes of each
-- only the rows that the page needs. (':memory:' stands for a file here.)
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
ATTACH ':memory:' AS shard0;
ATTACH ':memory:' AS shard1;
CREATE VIRTUAL TABLE shard0.items USING hnsw(id TEXT PRIMARY KEY, name TEXT, embedding FLOAT[256], metric = 'cosine');
CREATE VIRTUAL TABLE shard1.items USING hnsw(id TEXT PRIMARY KEY, name TEXT, embedding FLOAT[256], metric = 'cosine');
INSERT INTO shard0.items SELECT article_id, main_name, embedding FROM articles
  WHERE category IN ('Tents', 'Rain jackets') AND substr(article_id, -1) IN ('0', '2', '4', '6', '8');
INSERT INTO shard1.items SELECT article_id, main_name, embedding FROM articles
  WHERE category IN ('Tents', 'Rain jackets') AND substr(article_id, -1) IN ('1', '3', '5', '7', '9');

SELECT shard, id, name, round(distance, 4) FROM (
  SELECT 0 AS shard, id, name, distance FROM shard0.items WHERE embedding MATCH :taste
  UNION ALL
  SELECT 1, id, name, distance FROM shard1.items WHERE embedding MATCH :taste
  ORDER BY distance LIMIT 4 OFFSET 4
);
