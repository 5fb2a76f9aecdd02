-- The share of deleted nodes, which still cost space and time, by vector column (unnamed if a table has but one). 'optimize' drops them.
SELECT t.name AS "table", rtrim(substr(n.key, 1, length(n.key) - 5), '.') AS "column", n.value AS nodes, d.value AS deleted,
       round(1.0 * d.value / max(n.value, 1), 3) AS share
FROM sqlite_schema AS t, hnsw_info(t.name) AS n, hnsw_info(t.name) AS d
WHERE t.type = 'table' AND t.sql LIKE 'CREATE VIRTUAL TABLE%USING hnsw%'
  AND (n.key = 'nodes' OR n.key LIKE '%.nodes') AND d.key = substr(n.key, 1, length(n.key) - 5) || 'deleted'
ORDER BY t.name, n.key;
