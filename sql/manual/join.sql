-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
CREATE TABLE stock(article_id TEXT PRIMARY KEY, qty INTEGER);
INSERT INTO stock SELECT article_id, substr(article_id, 2) % 3 FROM articles;

SELECT article_id, a.main_name, s.qty
FROM articles a JOIN stock s USING (article_id)
WHERE a.embedding MATCH :taste AND s.qty > 0
ORDER BY a.distance LIMIT 5;
