-- Two feeds on one page: one row from each in turn, each article once.
-- :first = (SELECT embedding FROM articles WHERE article_id = 'A00018')
-- :second = (SELECT embedding FROM articles WHERE article_id = 'A00495')
SELECT article_id, main_name FROM (
  SELECT * FROM (SELECT article_id, main_name, 2 * row_number() OVER () AS turn
                 FROM (SELECT article_id, main_name FROM articles(:first) ORDER BY distance LIMIT 10))
  UNION ALL
  SELECT * FROM (SELECT article_id, main_name, 2 * row_number() OVER () + 1
                 FROM (SELECT article_id, main_name FROM articles(:second) ORDER BY distance LIMIT 10))
) GROUP BY article_id ORDER BY min(turn) LIMIT 6;
