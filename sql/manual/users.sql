CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, taste BLOB);
INSERT INTO users(name, taste)
  VALUES ('Ada',  (SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A01153'))),
         ('Emil', (SELECT embedding FROM articles WHERE article_id = 'A00495'));

SELECT u.name, a.article_id, a.main_name FROM users u, articles(u.taste, 3) a ORDER BY u.id, a.distance;
