-- A personal feed: the taste is the mean of what a user liked, by strength, less some of what they disliked. Weights of
-- either sign do; those of each user must not add up to zero.
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

SELECT user, article_id, main_name FROM (
  SELECT t.user, a.article_id, a.main_name, row_number() OVER (PARTITION BY t.user ORDER BY a.distance) AS place
  FROM tastes AS t, articles(t.taste, 10) AS a
  WHERE NOT EXISTS (SELECT 1 FROM marks WHERE marks.user = t.user AND marks.article_id = a.article_id)
) WHERE place <= 2 ORDER BY user, place;
