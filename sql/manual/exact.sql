-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id FROM articles WHERE embedding MATCH :taste AND ef_search = 200 ORDER BY distance LIMIT 3;

SELECT article_id FROM articles WHERE embedding MATCH :taste AND ef_search = 'exact' ORDER BY distance LIMIT 3;

SELECT article_id FROM articles(:taste, 3, 'exact') ORDER BY distance;
