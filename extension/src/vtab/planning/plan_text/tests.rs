use super::*;
use crate::storage::shadow::VectorOrdinal;
use crate::vtab::declaration::arguments::parse;

fn schema() -> TableSchema {
    parse(
        "t",
        &["id INTEGER PRIMARY KEY", "category", "\"odd, \"\"name\" TEXT", "\"rowid\"", "e FLOAT[3]", "\"e 2\" INT8[4]"],
    )
    .unwrap()
}

fn filter(column: Option<usize>, comparison: Comparison, collation: Option<&str>) -> Filter {
    Filter { column: column.map(ColumnId), comparison, collation: collation.map(str::to_string) }
}

fn found_by(number: usize) -> FoundBy {
    match number % 5 {
        0 => FoundBy::Scan,
        4 => FoundBy::Partial,
        1 => FoundBy::Rowid,
        2 => FoundBy::Index("a \"b\": c".to_string()),
        _ => FoundBy::Covering("t_rows_x".to_string()),
    }
}

fn by(column: Option<usize>, is_descending: bool) -> OrderTerm {
    OrderTerm { column: column.map(ColumnId), is_descending }
}

fn all_plans() -> Vec<Plan> {
    let lists = [
        vec![],
        vec![filter(None, Comparison::Eq, None)],
        Comparison::ALL.into_iter().map(|comparison| filter(Some(1), comparison, Some("no\"case"))).collect(),
        Comparison::ALL.into_iter().rev().map(|comparison| filter(Some(2), comparison, None)).collect(),
        vec![filter(Some(3), Comparison::Is, None), filter(Some(0), Comparison::In, None)],
    ];
    let [distance, similarity] =
        [ColumnRef::Distance, ColumnRef::Similarity].map(|hidden| schema().hidden_column(hidden).map(|id| id.0));
    let mut plans = Vec::new();
    for (n, filters) in lists.into_iter().enumerate() {
        let columns = ColumnSet::from_mask(0b1011 << n);
        for access in [Access::All, Access::Rowid, Access::Key, Access::Index] {
            for order in [None, Some(by(None, true)), Some(by(Some(3), false)), Some(by(Some(2), true))] {
                plans.push(Plan::Scan(ScanPlan { access, filters: filters.clone(), order, columns }));
            }
        }
        for bits in 0..512usize {
            let bit = |n: usize| bits >> n & 1 == 1;
            plans.push(Plan::Knn(KnnPlan {
                ordinal: VectorOrdinal(usize::from(bit(0))),
                form: if bit(1) { Form::Match } else { Form::Call },
                has_k: bit(2),
                has_ef_search: bit(3),
                has_group_by: bit(7),
                has_group_limit: bit(7) && bit(8),
                again: match bits >> 2 & 3 {
                    0 => Vec::new(),
                    1 => vec![Argument::Query, Argument::K, Argument::K],
                    2 => vec![Argument::GroupLimit],
                    _ => Argument::ALL.to_vec(),
                },
                similarities: match bits >> 6 & 3 {
                    0 => Vec::new(),
                    1 => vec![Comparison::Gt, Comparison::Le],
                    _ => Comparison::ALL.to_vec(),
                },
                distances: match bits >> 5 & 3 {
                    0 => Vec::new(),
                    1 => vec![Comparison::Ge],
                    2 => vec![Comparison::Lt, Comparison::IsNot],
                    _ => Comparison::ALL.to_vec(),
                },
                after_k: if (bit(2) || bit(7)) && bit(6) {
                    vec![filter(None, Comparison::Eq, None)]
                } else {
                    Vec::new()
                },
                counted: match bits >> 5 & 3 {
                    _ if !bit(2) && !bit(7) => Vec::new(),
                    0 => vec![filter(Some(1), Comparison::Like, None)],
                    1 => vec![filter(Some(2), Comparison::IsNot, Some("x")), filter(distance, Comparison::Ne, None)],
                    2 => vec![filter(similarity, Comparison::IsNotNull, None)],
                    _ => Vec::new(),
                },
                found_by: found_by(if filters.is_empty() { 0 } else { bits }),
                filters: filters.clone(),
                order: if bit(4) { Order::Strict } else { Order::Relaxed },
                has_limit: bit(5),
                has_offset: bit(6),
                columns,
            }));
        }
    }
    plans
}

#[test]
fn every_plan_survives_the_round_trip() {
    let schema = schema();
    for plan in all_plans() {
        let (number, text) = plan.encode(&schema);
        assert_eq!(Plan::decode(number, &text, &schema).unwrap(), plan, "{number}:{text}");
    }
}

#[test]
fn the_plan_text_describes_the_search() {
    let schema = schema();
    let knn = KnnPlan {
        ordinal: VectorOrdinal(0),
        form: Form::Match,
        has_k: false,
        has_ef_search: false,
        has_group_by: false,
        has_group_limit: false,
        again: Vec::new(),
        distances: vec![Comparison::Gt, Comparison::Le],
        similarities: vec![Comparison::Ge],
        counted: Vec::new(),
        after_k: Vec::new(),
        found_by: FoundBy::Covering("t_rows_category".to_string()),
        filters: vec![filter(Some(1), Comparison::Eq, None), filter(Some(2), Comparison::Gt, Some("NOCASE"))],
        order: Order::Strict,
        has_limit: true,
        has_offset: true,
        columns: ColumnSet::default(),
    };
    let text = "knn e cosine, distance>?, distance<=?, similarity>=?, filter category=? \"odd, \"\"name\" COLLATE \"NOCASE\">?, \
                by covering index t_rows_category: exact, steered or walked, limit offset";
    assert_eq!(Plan::Knn(knn.clone()).encode(&schema), (5, text.to_string()));
    let after_k = vec![filter(Some(1), Comparison::Eq, None), filter(None, Comparison::Lt, None)];
    let distance = schema.hidden_column(ColumnRef::Distance).map(|id| id.0);
    let counted = vec![filter(Some(1), Comparison::Like, None), filter(distance, Comparison::Ne, None)];
    let (distances, similarities, filters) = (Vec::new(), Vec::new(), Vec::new());
    let knn = KnnPlan { has_k: true, distances, similarities, filters, counted, after_k, ..knn };
    let text = "knn e cosine k, k counts category LIKE ? distance<>?, limit offset, k before category=? rowid<?";
    assert_eq!(Plan::Knn(knn.clone()).encode(&schema), (5, text.to_string()));
    let counted = vec![filter(Some(1), Comparison::Like, None)];
    let knn = KnnPlan { has_k: false, has_group_by: true, has_group_limit: true, counted, ..knn };
    let text = "knn e cosine group_by group_limit, group limit counts category LIKE ?, limit offset, \
                group limit before category=? rowid<?";
    assert_eq!(Plan::Knn(knn).encode(&schema), (5, text.to_string()));
}

#[test]
fn texts_that_are_no_plan_are_refused() {
    for (number, text) in [
        (0, "knn e cosine"),
        (5, "knn e l2"),
        (5, "knn category cosine"),
        (5, "knn e cosine, filter x=?"),
        (5, "knn e cosine, filter category=?"),
        (5, "knn e cosine, filter category=?, by index : exact, steered or walked"),
        (6, ""),
        (0, "scan x"),
    ] {
        assert!(Plan::decode(number, text, &schema()).is_err(), "{number}:{text}");
    }
}
