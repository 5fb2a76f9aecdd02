-- At most one article per brand, from the 200 nearest.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
SELECT article_id, main_name, brand FROM (
  SELECT article_id, main_name, brand, d, row_number() OVER (PARTITION BY brand ORDER BY d) AS place FROM (
    SELECT article_id, main_name, brand, distance AS d FROM articles WHERE embedding MATCH :taste ORDER BY distance LIMIT 200
  )
) WHERE place <= 1 ORDER BY d LIMIT 5;
