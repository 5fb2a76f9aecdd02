-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
-- :limit = 5
-- :offset = 0
SELECT article_id, main_name, retail_price, round(distance, 3)
FROM articles WHERE embedding MATCH :taste
ORDER BY distance LIMIT :limit OFFSET :offset;
