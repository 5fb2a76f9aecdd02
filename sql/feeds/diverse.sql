-- A diverse page by maximal marginal relevance (Carbonell & Goldstein, 1998): of the 40 nearest, each step takes the one
-- that is near to the taste and far from all that were taken before.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
WITH RECURSIVE
  pool AS MATERIALIZED (
    SELECT rowid AS id, article_id, main_name, embedding, distance AS d FROM articles(:taste) ORDER BY distance LIMIT 40
  ),
  page(n, ids) AS (
    SELECT 1, (SELECT json_array(id) FROM pool ORDER BY d LIMIT 1)
    UNION ALL
    SELECT n + 1, json_insert(ids, '$[#]', (
      SELECT id FROM pool AS c WHERE id NOT IN (SELECT value FROM json_each(ids))
      ORDER BY 0.7 * d - 0.3 * (
        SELECT min(vec_cosine(c.embedding, p.embedding)) FROM pool AS p WHERE p.id IN (SELECT value FROM json_each(ids))
      ) LIMIT 1
    )) FROM page WHERE n < 6
  )
SELECT article_id, main_name FROM page, json_each(page.ids) AS taken JOIN pool ON pool.id = taken.value
WHERE page.n = 6 ORDER BY taken.key;
