-- Every hnsw table of the database with what hnsw_info says of it.
SELECT t.name AS "table", i.key, i.value
FROM sqlite_schema AS t, hnsw_info(t.name) AS i
WHERE t.type = 'table' AND t.sql LIKE 'CREATE VIRTUAL TABLE%USING hnsw%'
ORDER BY t.name, i.rowid;
