-- :short = x'0000803f0000803f'
-- :doubles = zeroblob(2048)
-- :object = '{"0":0.25,"1":-1}'
-- :numpy = x'0a00000000000000'
INSERT INTO articles(article_id, main_name, embedding) VALUES ('B1', 'too short', :short);
INSERT INTO articles(article_id, main_name, embedding) VALUES ('B2', 'not a number', '[1, "x"]');
INSERT INTO articles(article_id, main_name, embedding) VALUES ('A00018', 'a second one', NULL);
SELECT article_id FROM articles WHERE embedding MATCH '[1, 2]' ORDER BY distance LIMIT 1;
SELECT article_id FROM articles WHERE embedding MATCH :doubles;
SELECT article_id FROM articles(:object);
SELECT article_id FROM articles WHERE embedding MATCH CAST('[1, 2]' AS BLOB);
SELECT article_id FROM articles WHERE embedding MATCH zeroblob(1024) AND k = :numpy;
