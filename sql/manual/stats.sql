-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id FROM articles WHERE embedding MATCH :taste ORDER BY distance LIMIT 2;

SELECT key, value FROM hnsw_stats('articles') WHERE key IN ('searches', 'resumed', 'last_way');

SELECT article_id FROM articles WHERE embedding MATCH :taste ORDER BY distance LIMIT 2 OFFSET 2;

SELECT key, value FROM hnsw_stats('articles') WHERE key IN ('searches', 'resumed', 'last_way');
