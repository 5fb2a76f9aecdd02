-- :short = x'0000803f0000803f'
INSERT INTO articles(article_id, main_name, embedding) VALUES ('B1', 'too short', :short);
INSERT INTO articles(article_id, main_name, embedding) VALUES ('B2', 'not a number', '[1, "x"]');
INSERT INTO articles(article_id, main_name, embedding) VALUES ('A00018', 'a second one', NULL);
SELECT article_id FROM articles WHERE embedding MATCH '[1, 2]' ORDER BY distance LIMIT 1;
