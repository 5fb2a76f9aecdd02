-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name, round(similarity, 3) FROM articles
WHERE embedding MATCH :taste AND similarity >= 0.67
ORDER BY similarity DESC LIMIT 5;
