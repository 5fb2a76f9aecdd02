-- :taste = (SELECT embedding FROM articles WHERE article_id = 'A00018')
CREATE INDEX by_brand ON articles_rows(brand, in_stock, retail_price, embedding);
CREATE INDEX well_rated ON articles_rows(rating, embedding) WHERE rating >= 4;

EXPLAIN QUERY PLAN
SELECT article_id FROM articles
WHERE embedding MATCH :taste AND brand = 'Tarnow' AND retail_price < 500 AND in_stock > 0 ORDER BY distance;

EXPLAIN QUERY PLAN
SELECT article_id FROM articles
WHERE embedding MATCH :taste AND rating >= 4 ORDER BY distance;

SELECT article_id, brand, retail_price FROM articles
WHERE embedding MATCH :taste AND brand = 'Tarnow' AND retail_price < 500 AND in_stock > 0 ORDER BY distance LIMIT 3;
