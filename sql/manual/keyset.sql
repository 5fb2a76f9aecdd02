-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name FROM articles
WHERE embedding MATCH :taste
  AND (distance, rowid) > (SELECT distance, rowid FROM articles(:taste) ORDER BY distance LIMIT 1 OFFSET 4)
ORDER BY distance, rowid LIMIT 5;
