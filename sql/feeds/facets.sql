-- Facets: how the first 500 of a feed divide by category and by price. The search runs once; both counts read its rows.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
WITH feed AS MATERIALIZED (
  SELECT category, retail_price FROM articles WHERE embedding MATCH :taste AND in_stock > 0 ORDER BY distance LIMIT 500
)
SELECT * FROM (SELECT 'category', category, count(*) FROM feed GROUP BY category ORDER BY count(*) DESC, category LIMIT 3)
UNION ALL
SELECT * FROM (
  SELECT 'price', CASE WHEN retail_price < 50 THEN 'under 50' WHEN retail_price < 200 THEN '50 to 200' ELSE 'above' END AS band,
         count(*)
  FROM feed GROUP BY band ORDER BY min(retail_price)
);
