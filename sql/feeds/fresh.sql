-- Fresh and near: orders the 200 nearest in stock by the distance plus 0.1 per year of age. Beyond the 200 a new article
-- might still win: the more the age weighs, the more candidates are needed.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
-- :today = '2025-10-01'
SELECT article_id, main_name, listed_on, round(d + 0.1 * age, 3) AS score FROM (
  SELECT article_id, main_name, listed_on, distance AS d, (julianday(:today) - julianday(listed_on)) / 365.25 AS age
  FROM articles WHERE embedding MATCH :taste AND in_stock > 0 ORDER BY distance LIMIT 200
) ORDER BY d + 0.1 * age LIMIT 5;
