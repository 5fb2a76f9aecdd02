-- Hybrid search: words by FTS5 and meaning by the graph, blended by reciprocal rank fusion (Cormack et al., 2009). Each list
-- votes for its rows, and a lower rank gives a smaller vote. `words` keeps no copy of the text; triggers on articles_rows can
-- keep it up to date.
-- :taste = (SELECT embedding FROM articles WHERE article_id = 'A00018')
CREATE VIRTUAL TABLE words USING fts5(main_name, description, content = '');
INSERT INTO words(rowid, main_name, description) SELECT rowid, main_name, description FROM articles;

WITH near AS MATERIALIZED (SELECT rowid AS id FROM articles(:taste) ORDER BY distance LIMIT 50),
     said AS MATERIALIZED (
       SELECT rowid AS id FROM words WHERE words MATCH 'jacket OR tent'
       ORDER BY rank, (SELECT article_id FROM articles WHERE articles.rowid = words.rowid) LIMIT 50 -- equal ranks by the key
     ),
     votes AS (
       SELECT id, 1.0 / (60 + row_number() OVER ()) AS vote FROM near
       UNION ALL
       SELECT id, 1.0 / (60 + row_number() OVER ()) FROM said
     )
SELECT a.article_id, a.main_name, round(sum(vote), 4) AS score
FROM votes JOIN articles AS a ON a.rowid = votes.id
GROUP BY votes.id ORDER BY sum(vote) DESC, a.article_id LIMIT 5;
