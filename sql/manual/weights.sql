-- on an empty database
CREATE TABLE likes(article TEXT, vector BLOB, strength REAL);
INSERT INTO likes VALUES ('A1', vec_parse('[1, 0, 0]'), 3), ('A7', vec_parse('[0, 1, 0]'), 1), ('A9', '[0, 0, 2]', 0);

SELECT vec_json(vec_avg(vector)), vec_json(vec_avg(vector, strength)), vec_json(vec_sum(vector, strength)) FROM likes;
