-- The file that every target starts from: a table with every element and metric, built in bulk.
CREATE VIRTUAL TABLE feed USING hnsw(
  id INTEGER PRIMARY KEY, category TEXT INDEXED, price REAL,
  taste FLOAT[96], look FLOAT16[33], text INT8[40], mark BIT[64],
  look.metric = 'l2', text.metric = 'dot'
);
INSERT INTO feed SELECT * FROM made WHERE id <= 480;
INSERT INTO feed(feed) VALUES ('rebuild');
