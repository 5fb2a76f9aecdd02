-- The share of deleted nodes, which still cost space and time, in every hnsw table: past a fifth 'optimize' pays.
SELECT t.name AS "table",
       max(i.value) FILTER (WHERE i.key = 'deleted') AS deleted,
       round(1.0 * max(i.value) FILTER (WHERE i.key = 'deleted') / max(i.value) FILTER (WHERE i.key = 'nodes'), 3) AS share
FROM sqlite_schema AS t, hnsw_info(t.name) AS i
WHERE t.type = 'table' AND t.sql LIKE 'CREATE VIRTUAL TABLE%USING hnsw%'
GROUP BY t.name;
