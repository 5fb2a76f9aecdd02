-- :taste = (SELECT embedding FROM articles WHERE article_id = 'A00018')
EXPLAIN QUERY PLAN
SELECT article_id FROM articles
WHERE embedding MATCH :taste AND category = 'Tents' AND retail_price > 50 ORDER BY distance LIMIT 20 OFFSET 20;
