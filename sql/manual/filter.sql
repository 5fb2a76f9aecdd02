-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name, retail_price FROM articles
WHERE embedding MATCH :taste
  AND category IN ('Hiking boots', 'Backpacks') AND retail_price BETWEEN 50 AND 130 AND in_stock > 0
  AND distance < 0.6
ORDER BY distance LIMIT 5;
