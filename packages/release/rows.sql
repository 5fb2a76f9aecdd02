-- Rows of whole numbers, the same everywhere: pseudo-random, those of one category with much of one direction.
CREATE TEMP TABLE numbers(i INTEGER PRIMARY KEY);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) INSERT INTO numbers SELECT i FROM n;
CREATE TEMP VIEW made AS
SELECT n.i AS id, 'c' || n.i % 7 AS category, n.i * 37 % 101 AS price,
  (SELECT json_group_array(((n.i * 7919 + j.i * 104729 + n.i * j.i * 31) % 2001 - 1000 + (n.i % 7 * j.i * 977) % 4001) / 8.0)
    FROM numbers j WHERE j.i <= 96) AS taste,
  (SELECT json_group_array(((n.i * 6101 + j.i * 7907 + n.i * j.i * 17) % 2001 - 1000) / 64.0) FROM numbers j WHERE j.i <= 33) AS look,
  (SELECT json_group_array((n.i * 4523 + j.i * 6701 + n.i * j.i * 13) % 255 - 127) FROM numbers j WHERE j.i <= 40) AS text,
  (SELECT json_group_array((n.i * 3607 + j.i * 5003 + n.i * j.i * 7) / 3 % 2) FROM numbers j WHERE j.i <= 64) AS mark
FROM numbers n;
