-- Nothing twice: the articles that a user has seen are left out, and the page is still full.
-- :taste = (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))
CREATE TABLE seen(user INTEGER, article_id TEXT, PRIMARY KEY (user, article_id)) WITHOUT ROWID;
INSERT INTO seen SELECT 1, article_id FROM articles(:taste) ORDER BY distance LIMIT 100;

SELECT article_id, main_name FROM articles
WHERE embedding MATCH :taste AND article_id NOT IN (SELECT article_id FROM seen WHERE user = 1)
ORDER BY distance LIMIT 5;

-- The 101st to 105th of the plain feed:
SELECT article_id FROM articles(:taste) ORDER BY distance LIMIT 5 OFFSET 100;
