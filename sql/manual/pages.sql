-- :taste = (SELECT embedding FROM articles WHERE article_id = 'A00495')
WITH whole AS MATERIALIZED (SELECT rowid AS r FROM articles(:taste) ORDER BY distance LIMIT 40),
     first AS MATERIALIZED (SELECT rowid AS r FROM articles(:taste) ORDER BY distance LIMIT 17),
     rest  AS MATERIALIZED (SELECT rowid AS r FROM articles(:taste) ORDER BY distance LIMIT 23 OFFSET 17)
SELECT (SELECT group_concat(r) FROM whole)
     = (SELECT group_concat(r) FROM first) || ',' || (SELECT group_concat(r) FROM rest) AS pages_tile;
