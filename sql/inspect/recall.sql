-- recall@10 of the table `articles` at its stored ef_search, over every 50th row taken as a query.
WITH sample AS MATERIALIZED (SELECT rowid AS id, embedding FROM articles WHERE rowid % 50 = 0),
     found AS MATERIALIZED (SELECT s.id, a.rowid AS hit FROM sample AS s, articles(s.embedding, 10) AS a),
     truth AS MATERIALIZED (SELECT s.id, a.rowid AS hit FROM sample AS s, articles(s.embedding, 10, 'exact') AS a)
SELECT round(1.0 * (SELECT count(*) FROM (SELECT * FROM found INTERSECT SELECT * FROM truth)) / (SELECT count(*) FROM truth), 3)
  AS recall_at_10;
