-- on an empty database
CREATE VIRTUAL TABLE photos USING hnsw(name TEXT PRIMARY KEY, hash BIT[16]);
INSERT INTO photos VALUES ('cat', x'0f81'), ('same cat', x'0f83'), ('dog', '[1,1,1,1,0,0,0,0,0,0,0,0,0,1,1,1]');
INSERT INTO photos VALUES ('signs', vec_bit('[0.3, -0.1, 0, 2, 0.5, -7, 1, 1, -1, -1, -1, -1, -1, -1, -1, -0.2]'));

SELECT name, distance, similarity FROM photos WHERE hash MATCH x'0f81' ORDER BY distance;

SELECT name, hex(hash), vec_json(hash), vec_hamming(hash, x'0f81') FROM photos WHERE name = 'signs';
