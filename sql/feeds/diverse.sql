-- A diverse page by maximal marginal relevance (Carbonell & Goldstein, 1998): from the 40 nearest, each step takes the
-- article with the best balance of near to the taste and far from all that were taken before.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
WITH RECURSIVE
  pool AS MATERIALIZED (
    SELECT rowid AS id, article_id, main_name, embedding, distance AS d FROM articles(:taste) ORDER BY distance LIMIT 40
  ),
  apart AS MATERIALIZED (
    SELECT a.id AS a, b.id AS b, vec_cosine(a.embedding, b.embedding) AS d FROM pool AS a JOIN pool AS b
  ),
  -- One row per step: its number, and the ids taken so far. Each step adds the candidate with the best score.
  page(n, ids) AS (
    SELECT 1, (SELECT ',' || id || ',' FROM pool ORDER BY d LIMIT 1)
    UNION ALL
    SELECT n + 1, ids || (
      SELECT a || ',' FROM apart JOIN pool ON pool.id = a
      WHERE instr(ids, ',' || a || ',') = 0 AND instr(ids, ',' || b || ',') > 0
      GROUP BY a ORDER BY 0.7 * pool.d - 0.3 * min(apart.d) LIMIT 1
    ) FROM page WHERE n < 6
  )
SELECT article_id, main_name FROM page JOIN pool ON instr(ids, ',' || id || ',') > 0
WHERE n = 6 ORDER BY instr(ids, ',' || id || ',');
