use super::*;
use crate::sqlite::OrderTerm;
use crate::vtab::declaration::arguments::parse;

const TABLE: [&str; 4] = ["id INTEGER PRIMARY KEY", "name TEXT UNIQUE", "price REAL", "e FLOAT[2]"];
const E: usize = 3;
const QUERY: usize = 4;
const K: usize = 5;
const DISTANCE: usize = 7;
const SIMILARITY: usize = 8;
const GROUP_BY: usize = 9;
const GROUP_LIMIT: usize = 10;

fn term(index: usize, column: usize, operator: Operator) -> Term {
    Term {
        index,
        column: Some(ColumnId(column)),
        operator,
        is_usable: true,
        is_list: false,
        collation: "BINARY".into(),
        is_constant: false,
        text: None,
    }
}

fn ask(terms: Vec<Term>, order: &[(Option<usize>, bool)], order_use: OrderUse) -> Result<Option<PlannedQuery>> {
    let term =
        |&(column, is_descending): &(Option<usize>, bool)| OrderTerm { column: column.map(ColumnId), is_descending };
    let order = order.iter().map(term).collect();
    choose(
        "t",
        &parse("t", &TABLE).unwrap(),
        &IndexQuery {
            terms,
            order,
            order_use,
            columns_used: 0,
            is_like_case_sensitive: false,
            hides_later_joins: true,
        },
    )
}

fn knn_of(planned: &PlannedQuery) -> &KnnPlan {
    match &planned.plan {
        Plan::Knn(knn) => knn,
        Plan::Scan(scan) => panic!("{scan:?}"),
    }
}

#[test]
fn arguments_follow_the_plan_and_exact_terms_are_not_rechecked() {
    let terms = vec![
        term(0, 1, Operator::Gt),
        term(1, 2, Operator::Gt),
        term(2, DISTANCE, Operator::Lt),
        term(3, K, Operator::Eq),
        Term { is_list: true, ..term(4, 2, Operator::Eq) },
        term(5, E, Operator::Match),
        Term { column: None, ..term(6, 0, Operator::Limit) },
    ];
    let planned = ask(terms, &[(Some(DISTANCE), false)], OrderUse::Sorted).unwrap().unwrap();
    let used: Vec<_> = planned.used.iter().map(|used| (used.index, used.recheck, used.is_list)).collect();
    let (yes, no) = (Recheck::Yes, Recheck::No);
    let expected = [
        (5, no, false),
        (3, no, false),
        (2, yes, false),
        (0, yes, false),
        (1, no, false),
        (4, yes, true),
        (6, yes, false),
    ];
    assert_eq!(used, expected);
    let knn = knn_of(&planned);
    assert!(
        knn.has_k && knn.has_limit && !knn.has_offset && knn.distances == [Comparison::Lt] && knn.filters.len() == 3
    );
    assert!(planned.is_order_consumed && knn.order == Order::Strict);
}

#[test]
fn only_order_by_distance_is_strict() {
    let order_of = |order: &[(Option<usize>, bool)], distinct| {
        let planned = ask(vec![term(0, QUERY, Operator::Eq)], order, distinct).unwrap().unwrap();
        assert_eq!(planned.is_order_consumed, knn_of(&planned).order == Order::Strict);
        knn_of(&planned).order
    };
    let (distance, by_name) = ((Some(DISTANCE), false), (Some(1), false));
    let similarity = (Some(SIMILARITY), true);
    for order in [
        &[distance][..],
        &[distance, (None, false)],
        &[distance, (Some(0), false), by_name],
        &[similarity],
        &[similarity, (None, false)],
        &[similarity, (Some(0), false), by_name],
    ] {
        assert_eq!(order_of(order, OrderUse::Sorted), Order::Strict);
    }
    for order in [
        &[][..],
        &[(Some(DISTANCE), true)],
        &[distance, by_name],
        &[distance, (None, true)],
        &[by_name, distance],
        &[(Some(SIMILARITY), false)],
        &[similarity, by_name],
        &[similarity, (None, true)],
        &[distance, similarity],
    ] {
        assert_eq!(order_of(order, OrderUse::Sorted), Order::Relaxed);
    }
    assert_eq!(order_of(&[distance], OrderUse::Grouped), Order::Relaxed);
    assert_eq!(order_of(&[distance], OrderUse::OnePerGroup), Order::Relaxed);
    assert_eq!(order_of(&[distance], OrderUse::SortedOnePerGroup), Order::Strict);
}

#[test]
fn a_group_limit_is_counted_along_the_strict_order() {
    let terms = vec![
        term(0, 1, Operator::Ne),
        term(1, SIMILARITY, Operator::Ge),
        term(2, GROUP_LIMIT, Operator::Eq),
        term(3, E, Operator::Match),
        term(4, GROUP_BY, Operator::Eq),
        Term { is_usable: false, ..term(5, 2, Operator::Eq) },
    ];
    let planned = ask(terms.clone(), &[], OrderUse::Sorted).unwrap().unwrap();
    let used: Vec<_> = planned.used.iter().map(|used| (used.index, used.recheck)).collect();
    let (yes, no) = (Recheck::Yes, Recheck::No);
    assert_eq!(used, [(3, no), (4, no), (2, no), (1, yes), (0, yes)]);
    let knn = knn_of(&planned);
    assert!(knn.has_group_by && knn.has_group_limit && knn.similarities == [Comparison::Ge]);
    assert_eq!((planned.is_order_consumed, knn.order), (false, Order::Strict));
    assert_eq!(knn.after_k.len(), 1, "SQLite tests the term of a join when the row was counted");
    let unusable = |position: usize| {
        let unusable = |(index, term)| Term { is_usable: index != position, ..term };
        ask(terms.iter().cloned().enumerate().map(unusable).collect(), &[], OrderUse::Sorted).unwrap()
    };
    assert_eq!((unusable(2), unusable(4)), (None, None), "its arguments are not known yet");
}

#[test]
fn an_unusable_query_vector_or_argument_gives_no_plan() {
    let unusable = |column, operator| Term { is_usable: false, ..term(1, column, operator) };
    for terms in [
        vec![unusable(E, Operator::Match)],
        vec![unusable(QUERY, Operator::Eq)],
        vec![term(0, E, Operator::Match), unusable(K, Operator::Eq)],
    ] {
        assert_eq!(ask(terms, &[], OrderUse::Sorted).unwrap(), None);
    }
    // No other order of a join would bring a query vector.
    assert!(ask(vec![term(0, K, Operator::Eq)], &[], OrderUse::Sorted).is_err());
    let planned = ask(vec![term(0, E, Operator::Match), unusable(2, Operator::Lt)], &[], OrderUse::Sorted).unwrap();
    assert_eq!(planned.unwrap().used.len(), 1);
}

#[test]
fn the_best_access_is_named() {
    let access = |terms: Vec<Term>| match ask(terms, &[], OrderUse::Sorted).unwrap().unwrap() {
        PlannedQuery { plan: Plan::Scan(scan), is_unique, .. } => (scan.access, is_unique),
        planned => panic!("{planned:?}"),
    };
    assert_eq!(access(vec![]), (Access::All, false));
    assert_eq!(access(vec![term(0, 2, Operator::Eq)]), (Access::All, false));
    assert_eq!(access(vec![term(0, 2, Operator::Eq), term(1, 0, Operator::Eq)]), (Access::Rowid, true));
    assert_eq!(access(vec![term(0, 0, Operator::Gt), term(1, 1, Operator::Eq)]), (Access::Key, false));
    assert_eq!(access(vec![term(0, 1, Operator::Like)]), (Access::All, false));
}

/// `name >= least AND name < most`.
fn range(least: &str, most: &str, collation: &str) -> Vec<Term> {
    let with = |term: Term, text: &str| Term { text: Some(text.into()), collation: collation.into(), ..term };
    vec![with(term(0, 1, Operator::Ge), least), with(term(1, 1, Operator::Lt), most)]
}

#[test]
fn ranges_that_sqlite_made_of_a_pattern_are_left_alone() {
    let used = |range: Vec<Term>, operator, pattern: &str| {
        let pattern = Term { text: Some(pattern.into()), ..term(2, 1, operator) };
        let others = [pattern, term(3, 1, Operator::Lt), term(4, 2, Operator::Lt)];
        let arguments = [term(5, E, Operator::Match), term(6, K, Operator::Eq)];
        let planned =
            ask([range, others.to_vec(), arguments.to_vec()].concat(), &[], OrderUse::Sorted).unwrap().unwrap();
        let mut used: Vec<usize> = planned.used.iter().map(|used| used.index).filter(|index| *index < 5).collect();
        used.sort_unstable();
        used
    };
    assert_eq!(used(range("A", "b", "NOCASE"), Operator::Like, "a%"), [2, 3, 4]);
    assert_eq!(used(range("AB", "ac", "NOCASE"), Operator::Like, "aB_d%"), [2, 3, 4]);
    assert_eq!(used(range("aB", "aC", "BINARY"), Operator::Glob, "aB?*"), [2, 3, 4]);
    let all = [0, 1, 2, 3, 4];
    assert_eq!(used(range("A", "b", "NOCASE"), Operator::Like, "%a"), all, "the user wrote the range");
    assert_eq!(used(range("aB", "aC", "BINARY"), Operator::Glob, "a*"), all);
    assert_eq!(used(range("aB", "aC", "BINARY"), Operator::Like, "aB%"), all);
}

#[test]
fn a_range_that_may_be_of_a_hidden_like_is_only_counted() {
    let is_filter = |terms: Vec<Term>, is_like_case_sensitive| {
        let arguments = [term(2, E, Operator::Match), term(3, K, Operator::Eq)];
        let query = IndexQuery {
            terms: [terms, arguments.to_vec()].concat(),
            order: Vec::new(),
            order_use: OrderUse::Sorted,
            columns_used: 0,
            is_like_case_sensitive,
            hides_later_joins: true,
        };
        let planned = choose("t", &parse("t", &TABLE).unwrap(), &query).unwrap().unwrap();
        let knn = knn_of(&planned);
        assert_eq!((knn.filters.len() + knn.counted.len(), knn.after_k.len()), (2, 0));
        knn.counted.is_empty()
    };
    for (least, most, collation, is_sensitive, used) in [
        ("AB-", "ab.", "NOCASE", false, false),
        ("AB", "ac", "nocase", false, false),
        ("ab", "ac", "NOCASE", false, true),
        ("AB", "AC", "BINARY", false, true),
        ("AB", "AC", "BINARY", true, false),
        ("aB", "ab", "BINARY", true, true),
        ("A\u{3f}", "a\u{40}", "NOCASE", false, false),
        ("\u{ff}", "\u{100}", "NOCASE", false, false),
        ("", "", "NOCASE", false, false),
    ] {
        assert_eq!(is_filter(range(least, most, collation), is_sensitive), used, "{least} {most} {collation}");
    }
}
