-- on an empty database
CREATE VIRTUAL TABLE articles USING hnsw(
  article_id   TEXT PRIMARY KEY,
  main_name    TEXT NOT NULL,
  category     TEXT COLLATE NOCASE INDEXED, -- an ordinary index, so that filters on it are fast
  retail_price REAL CHECK (retail_price >= 0),
  in_stock     INTEGER,
  embedding    FLOAT[256],                  -- the vector column
  metric = 'cosine', m = 16, ef_construction = 200, ef_search = 64
);
