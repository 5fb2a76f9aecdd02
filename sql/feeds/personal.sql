-- A personal feed: the taste is the weighted mean of the articles that a user marked. A like has a positive weight, a dislike
-- a negative one; the weights of a user must not add up to zero.
-- The first statement is a page for one user, the second the best two articles for each user.
CREATE TABLE marks(user TEXT, article_id TEXT, weight REAL);
INSERT INTO marks VALUES
  ('Ada', 'A00018', 3), ('Ada', 'A01153', 1), ('Ada', 'A00982', -0.5),
  ('Emil', 'A00495', 1), ('Emil', 'A01845', 1);

CREATE VIEW tastes AS
  SELECT user, vec_avg(embedding, weight) AS taste FROM marks JOIN articles USING (article_id) GROUP BY user;

SELECT t.user, a.article_id, a.main_name
FROM tastes AS t, articles(t.taste) AS a
WHERE t.user = 'Ada' AND a.article_id NOT IN (SELECT article_id FROM marks WHERE user = t.user)
ORDER BY a.distance LIMIT 5;

-- `articles(t.taste, 2)` would count before the marked articles are left out; LIMIT counts after.
SELECT t.user, a.article_id, a.main_name
FROM tastes AS t JOIN articles AS a ON a.rowid IN (
  SELECT rowid FROM articles(t.taste) AS f
  WHERE f.article_id NOT IN (SELECT article_id FROM marks WHERE user = t.user)
  ORDER BY f.distance LIMIT 2
)
ORDER BY t.user, vec_cosine(t.taste, a.embedding);
