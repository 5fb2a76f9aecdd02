-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name FROM articles
WHERE embedding MATCH :taste AND in_stock > 0
ORDER BY distance LIMIT 5 OFFSET 5;
