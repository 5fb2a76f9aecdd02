-- Bytes of each shadow table of every hnsw table. Needs a SQLite with dbstat (the shell and apsw have it); hnsw_info needs none.
SELECT s.name AS shadow_table, sum(s.pgsize) AS bytes, sum(s.unused) AS unused
FROM dbstat AS s
JOIN sqlite_schema AS t ON t.sql LIKE 'CREATE VIRTUAL TABLE%USING hnsw%' AND s.name GLOB t.name || '_*'
GROUP BY s.name ORDER BY bytes DESC;
