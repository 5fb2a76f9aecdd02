DELETE FROM articles WHERE listed_on < '2022-01-01';
INSERT INTO articles(articles) VALUES ('optimize');
INSERT INTO articles(articles) VALUES ('rebuild');
INSERT INTO articles(articles) VALUES ('integrity-check');
INSERT INTO articles(articles, k) VALUES ('ef_search', 100);
INSERT INTO articles(articles, k) VALUES ('node_cache', 64);

SELECT key, value FROM hnsw_info('articles') WHERE key IN ('rows', 'deleted', 'ef_search', 'node_cache');
