-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name, brand FROM articles
WHERE embedding MATCH :taste AND group_by = 'brand' AND group_limit = 2
ORDER BY distance LIMIT 5;

SELECT article_id, category FROM articles(:taste)
WHERE group_by = 'category' AND retail_price < 100
  AND (distance, rowid) > (SELECT distance, rowid FROM articles(:taste, 2) WHERE group_by = 'category' AND retail_price < 100
                           ORDER BY distance LIMIT 1 OFFSET 1)
ORDER BY distance, rowid LIMIT 3;

EXPLAIN QUERY PLAN
SELECT article_id FROM articles WHERE embedding MATCH :taste AND group_by = 'brand' AND group_limit = 2 ORDER BY distance;
