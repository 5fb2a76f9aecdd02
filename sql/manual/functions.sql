SELECT round(vec_cosine('[1, 0]', '[1, 1]'), 6), vec_cosine('[1, 0]', '[0, 0]');

SELECT vec_l2('[1, 2]', '[4, 6]'), vec_l1('[1, 2]', '[4, 6]'), vec_dot('[1, 2]', '[4, 6]');

SELECT hex(vec_parse('[1, -2]')), vec_json(x'0000803f000000c0'), vec_dims('[1, 2, 3]'), vec_norm('[3, 4]');

SELECT vec_json(vec_unit('[3, 4]')), vec_json(vec_scale('[3, 4]', 2)), vec_json(vec_head('[3, 4, 5]', 2));

SELECT vec_hamming(x'0f', x'07'), vec_json(vec_bit('[0.5, -1, 0, 2, 1, 1, 1, 1]'));

SELECT vec_json(vec_add('[1, 2]', '[3, 4]')), vec_json(vec_sub('[1, 2]', '[3, 4]'));

SELECT i, value FROM vec_each('[0.5, -1]');

SELECT vec_json(vec_avg(value)) FROM json_each('["[1, 2]", "[3, 4]"]');
