//! Random statements, each over the table with vectors and over ordinary tables.

use proptest::prelude::*;
use proptest::sample::select;

use crate::outer::{Outer, outer};
use crate::terms::{
    field, filler, filler_sql, on_distance, operator, shown_bound, shown_column_term, shown_term, tree,
};

pub const QUERIES: [&str; 5] = ["[1,0.5,-0.25]", "[-1,0,0]", "[0.5,0.5,0.5]", "[0,-1,1]", "[0.3,0.7,-0.1]"];

/// Columns that rows are grouped by.
const GROUPS: [&str; 6] = ["t", "s", "n", "r", "x", "id"];

const ORDERS: [&str; 12] = [
    "a.distance",
    "a.distance",
    "a.distance, a.id",
    "a.distance, a.rowid, a.t",
    "a.similarity DESC",
    "a.similarity DESC, a.id",
    "a.similarity, a.id",
    "a.n, a.id",
    "a.distance DESC, a.id",
    "a.distance, a.id DESC",
    "a.id DESC",
    "a.r, a.distance, a.id",
];

/// The shape of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Page,
    Scan,
    K,
    Join,
    LeftJoin,
    TwoFeeds,
    Groups,
    Distinct,
    Window,
    Union,
    With,
    View,
    FilteredPage,
    InPage,
    Users,
    UsersLeft,
    UsersExist,
    UsersList,
    Outer,
    GroupLimit,
    GroupLimitUsers,
}

const SHAPES: [Shape; 31] = [
    Shape::GroupLimit,
    Shape::GroupLimit,
    Shape::GroupLimit,
    Shape::GroupLimitUsers,
    Shape::Page,
    Shape::Page,
    Shape::Page,
    Shape::Page,
    Shape::Scan,
    Shape::K,
    Shape::Join,
    Shape::LeftJoin,
    Shape::TwoFeeds,
    Shape::Groups,
    Shape::Distinct,
    Shape::Window,
    Shape::Union,
    Shape::With,
    Shape::View,
    Shape::FilteredPage,
    Shape::InPage,
    Shape::Users,
    Shape::UsersLeft,
    Shape::UsersExist,
    Shape::UsersList,
    Shape::Outer,
    Shape::Outer,
    Shape::Outer,
    Shape::Outer,
    Shape::Outer,
    Shape::Outer,
];

/// With more than thirty other terms SQLite does not offer an IN list as a list, and k counts before it.
const FEW: u32 = 17;

/// LIMIT and OFFSET.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    pub limit: Option<usize>,
    pub offset: usize,
    /// How the search is written.
    form: usize,
}

pub fn page() -> impl Strategy<Value = Page> {
    (prop::option::weighted(0.8, 0..30usize), prop_oneof![Just(0usize), 0..20usize, 0..120usize], 0..6usize)
        .prop_map(|(limit, offset, form)| Page { limit, offset, form })
}

impl Page {
    pub fn sql(self) -> String {
        let Page { limit, offset, form } = self;
        match (limit, form) {
            (Some(limit), 0) => format!("LIMIT {offset}, {limit}"),
            (Some(limit), 1) => format!("LIMIT {limit} + 2 - 2 OFFSET (SELECT {offset})"),
            (Some(limit), 2) if offset == 0 => format!("LIMIT {limit}"),
            (Some(limit), 3) if offset == 0 => format!("LIMIT '{limit}' OFFSET -7"),
            (Some(limit), _) => format!("LIMIT {limit} OFFSET {offset}"),
            (None, 0..3) if offset == 0 => String::new(),
            (None, _) => format!("LIMIT -{} OFFSET {offset}", form + 1),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Statement {
    pub table: usize,
    shape: Shape,
    queries: [usize; 2],
    filter: String,
    filler: u32,
    shown: String,
    on: String,
    order: &'static str,
    page: Page,
    k: usize,
    outer: Outer,
    group: Group,
}

/// A group limit, and what stands beside it.
#[derive(Debug, Clone)]
struct Group {
    by: &'static str,
    limit: usize,
    /// Terms on columns, which rows are counted after.
    columns: String,
    /// A term on the distance that SQLite shows, and any.
    shown_bound: String,
    bound: String,
}

fn group() -> impl Strategy<Value = Group> {
    let columns = prop::collection::vec(shown_column_term(), 0..3)
        .prop_map(|terms| terms.iter().map(|term| format!(" AND {term}")).collect::<String>());
    (select(&GROUPS[..]), 1..5usize, columns, shown_bound(), on_distance())
        .prop_map(|(by, limit, columns, shown_bound, bound)| Group { by, limit, columns, shown_bound, bound })
}

pub fn statement(tables: usize, has_right_joins: bool) -> impl Strategy<Value = Statement> {
    let on = (field(), operator(), select(&["w.v", "w.i", "w.u"][..]))
        .prop_map(|(field, operator, right)| format!("{field} {operator} {right}"));
    let shown = prop::collection::vec(shown_term(), 1..4).prop_map(|terms| terms.join(" AND "));
    let queries = [0..QUERIES.len(), 0..QUERIES.len()];
    let what = (0..tables, select(&SHAPES[..]), queries, select(&ORDERS[..]), page(), 0..12usize);
    (what, tree(), filler(), shown, on, outer(has_right_joins), group()).prop_map(
        |((table, shape, queries, order, page, k), filter, filler, shown, on, outer, group)| Statement {
            table,
            shape,
            queries,
            filter,
            filler,
            shown,
            on,
            order,
            page,
            k,
            outer,
            group,
        },
    )
}

/// The rows that a search for the vector returns, as SQL on the ordinary table.
pub fn ordinary(vector: &str) -> String {
    format!(
        "(SELECT *, id AS rowid, CAST(vec_cosine({vector}, e) AS REAL) AS distance,
          CAST(1 - vec_cosine({vector}, e) AS REAL) AS similarity FROM o WHERE e IS NOT NULL)"
    )
}

/// A search, or the same rows from the ordinary table.
struct Source {
    from: String,
    test: String,
}

impl Statement {
    fn source(&self, is_search: bool, alias: &str, query: usize) -> Source {
        let vector = QUERIES[query];
        match is_search {
            true => Source {
                from: format!("v {alias}"),
                test: format!("{alias}.e MATCH '{vector}' AND {alias}.ef_search = 'exact'"),
            },
            false => Source {
                from: format!("{} {alias}", ordinary(&format!("vec_parse('{vector}')"))),
                test: "true".to_string(),
            },
        }
    }

    /// The statement over the table with vectors, or over the ordinary one.
    pub fn sql(&self, is_search: bool) -> String {
        let sql = self.shaped(is_search);
        // Terms may read the feed itself.
        sql.replace("FROM feed", &format!("FROM {}{}", if is_search { "feed_" } else { "plain_" }, self.queries[0]))
    }

    fn shaped(&self, is_search: bool) -> String {
        let Statement { filter, shown, on, k, .. } = self;
        let filler = filler_sql(self.filler);
        let Source { from, test } = self.source(is_search, "a", self.queries[0]);
        // The table orders equal distances by rowid.
        let order = match self.order {
            "a.distance" if !is_search => "a.distance, a.id",
            "a.similarity DESC" if !is_search => "a.similarity DESC, a.id",
            order => order,
        };
        let page = self.page.sql();
        let searched = format!("FROM {from} WHERE {test}{filler}");
        let found = format!("{searched} AND {filter}");
        let by_distance = format!("ORDER BY a.distance, a.id {page}");
        match self.shape {
            Shape::Page => format!("SELECT a.id, quote(a.t), a.r, a.distance {found} ORDER BY {order} {page}"),
            Shape::Scan => {
                let from = if is_search { "v a" } else { "(SELECT *, id AS rowid, CAST(NULL AS REAL) AS distance, CAST(NULL AS REAL) AS similarity FROM o) a" };
                let is_ranked = self.order.starts_with("a.distance") || self.order.starts_with("a.similarity");
                let order = if is_ranked { "a.id" } else { order };
                format!("SELECT a.id, quote(a.s), hex(a.e) FROM {from} WHERE {filter}{filler} ORDER BY {order} {page}")
            }
            Shape::K => match is_search {
                true => {
                    let few = filler_sql(self.filler.min(FEW));
                    format!("SELECT a.id, a.distance FROM {from} WHERE {test}{few} AND {shown} AND a.k = {k} {by_distance}")
                }
                false => format!(
                    "SELECT id, distance FROM (SELECT * {searched} AND {shown} ORDER BY a.distance, a.id LIMIT {k}) a {by_distance}"
                ),
            },
            Shape::Join => format!(
                "SELECT a.id, w.rowid, a.distance FROM {from} JOIN other w ON {on} WHERE {test} AND {filter}{filler}
                 ORDER BY a.distance, a.id, w.rowid {page}"
            ),
            Shape::LeftJoin => format!(
                "SELECT a.id, w.rowid FROM {from} LEFT JOIN other w ON {on} AND w.i > 0 WHERE {test} AND {filter}{filler}
                 ORDER BY a.distance, a.id, w.rowid {page}"
            ),
            Shape::TwoFeeds => {
                let other = self.source(is_search, "b", self.queries[1]);
                format!(
                    "SELECT a.id, b.id, b.distance FROM {from} JOIN {} ON {} WHERE {test} AND {} AND {filter}
                     ORDER BY a.distance, a.id, b.distance, b.id {page}",
                    other.from,
                    on.replace("w.v", "b.t").replace("w.i", "b.n").replace("w.u", "b.id"),
                    other.test
                )
            }
            Shape::Groups => format!("SELECT a.n, count(*), min(a.distance) {found} GROUP BY a.n ORDER BY 2 DESC, 1 {page}"),
            Shape::Distinct => format!("SELECT DISTINCT a.n, a.r {found} ORDER BY 1, 2 {page}"),
            Shape::Window => format!(
                "SELECT a.id, rank() OVER (PARTITION BY a.n ORDER BY a.distance), row_number() OVER (ORDER BY a.distance, a.id)
                 {found} {by_distance}"
            ),
            Shape::Union => {
                let other = self.source(is_search, "a", self.queries[1]);
                let half = |Source { from, test }: &Source| {
                    format!("SELECT * FROM (SELECT a.id, a.distance AS d FROM {from} WHERE {test} AND {filter} ORDER BY {order} {page})")
                };
                format!("{} UNION ALL {}", half(&Source { from, test }), half(&other))
            }
            Shape::With => format!(
                "WITH a AS (SELECT a.id, a.rowid AS rowid, a.t, a.s, a.n, a.r, a.x, a.e, a.distance, a.similarity {searched})
                 SELECT a.id, a.distance FROM a WHERE {filter} {by_distance}"
            ),
            Shape::View => format!("SELECT a.id, a.distance FROM feed a WHERE {filter}{filler} ORDER BY {order} {page}"),
            Shape::FilteredPage => format!(
                "SELECT a.id FROM (SELECT a.id, a.rowid AS rowid, a.t, a.s, a.n, a.r, a.x, a.e, a.distance, a.similarity {searched} ORDER BY {order} {page}) a
                 WHERE {filter} ORDER BY a.distance, a.id"
            ),
            Shape::InPage => format!(
                "SELECT o.id, quote(o.t) FROM o WHERE o.id IN (SELECT a.id {found} ORDER BY {order} {page}) ORDER BY o.id"
            ),
            Shape::Outer => {
                // Every other one has a term on both tables.
                let on = if k % 2 == 0 { format!("{filter}{filler}") } else { format!("{on} AND {filter}{filler}") };
                self.outer.sql(is_search, self.queries[0], &on, &page)
            }
            Shape::GroupLimit => self.of_groups(is_search),
            Shape::GroupLimitUsers => self.of_users_and_groups(is_search),
            Shape::Users | Shape::UsersLeft | Shape::UsersExist | Shape::UsersList => self.of_users(is_search),
        }
    }

    /// At most so many rows of a group, counted before terms on the distance; k counts after these.
    fn of_groups(&self, is_search: bool) -> String {
        let Source { from, test } = self.source(is_search, "a", self.queries[0]);
        let Group { by, limit, columns, shown_bound, bound } = &self.group;
        let (k, few) = (self.k, filler_sql(self.filler.min(FEW)));
        let (bound, k) = if k % 2 == 0 { (shown_bound, Some(k)) } else { (bound, None) };
        let by_distance = "ORDER BY a.distance, a.id";
        let rows = if is_search {
            let k = k.map_or(String::new(), |k| format!(" AND a.k = {k}"));
            let limit = if *limit == 1 { String::new() } else { format!(" AND a.group_limit = {limit}") };
            let group = format!(
                "a.group_by = '{}'{limit}{k}",
                if self.queries[1] == 0 { by.to_uppercase() } else { by.to_string() }
            );
            format!("SELECT a.id, a.distance FROM {from} WHERE {test}{few}{columns} AND {group} AND {bound}")
        } else {
            let k = k.map_or("-1".to_string(), |k| k.to_string());
            format!(
                "SELECT a.id, a.distance FROM (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY a.{by} {by_distance}) AS nth
                 FROM {from} WHERE {test}{columns}) a WHERE (nth <= {limit} OR a.{by} IS NULL) AND {bound} {by_distance} LIMIT {k}) a"
            )
        };
        // A statement without ORDER BY counts along the same sequence.
        match self.page.offset % 3 {
            1 => format!("SELECT count(*), total(id) FROM ({rows})"),
            _ => format!("{rows} {by_distance} {}", self.page.sql()),
        }
    }

    /// Groups counted for every user.
    fn of_users_and_groups(&self, is_search: bool) -> String {
        let (few, Group { by, limit, columns, .. }) = (filler_sql(self.filler.min(FEW)), &self.group);
        match is_search {
            true => format!(
                "SELECT u.id, a.id, a.distance FROM users u, v(u.taste) a WHERE a.ef_search = 'exact' AND a.group_by = '{by}'
                 AND a.group_limit = {limit}{columns}{few} ORDER BY 1, 3, 2"
            ),
            false => format!(
                "SELECT u, id, distance FROM (SELECT *, row_number() OVER (PARTITION BY u, a.{by} ORDER BY distance, id) AS nth
                 FROM (SELECT u.id AS u, a.*, CAST(vec_cosine(u.taste, a.e) AS REAL) AS distance FROM users u, (SELECT *, id AS rowid FROM o) a
                   WHERE a.e IS NOT NULL) a
                 WHERE a.distance IS NOT NULL{columns}) a WHERE nth <= {limit} OR a.{by} IS NULL ORDER BY 1, 3, 2"
            ),
        }
    }

    /// One search per user.
    fn of_users(&self, is_search: bool) -> String {
        let Statement { filter, shown, k, .. } = self;
        let (filler, few) = (filler_sql(self.filler), filler_sql(self.filler.min(FEW)));
        let of_user = ordinary("u.taste");
        let ranked = format!(
            "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY u ORDER BY distance, id) AS place
             FROM (SELECT u.id AS u, a.*, CAST(vec_cosine(u.taste, a.e) AS REAL) AS distance,
               CAST(1 - vec_cosine(u.taste, a.e) AS REAL) AS similarity FROM users u, (SELECT *, id AS rowid FROM o) a WHERE a.e IS NOT NULL) a
             WHERE a.distance IS NOT NULL AND {shown}) WHERE place <= {k})"
        );
        match (self.shape, is_search) {
            (Shape::Users, true) => format!(
                "SELECT u.id, a.id, a.distance FROM users u, v(u.taste, {k}, 'exact') a WHERE {shown}{few} ORDER BY 1, 3, 2"
            ),
            (Shape::Users, false) => format!("SELECT u, id, distance FROM {ranked} ORDER BY 1, 3, 2"),
            (Shape::UsersLeft, true) => format!(
                "SELECT u.id, a.id, a.distance FROM users u LEFT JOIN v a ON a.e MATCH u.taste AND a.ef_search = 'exact'
                 AND a.k = {k} AND {shown}{few} ORDER BY 1, 3, 2"
            ),
            (Shape::UsersLeft, false) => {
                format!("SELECT u.id, a.id, a.distance FROM users u LEFT JOIN {ranked} a ON a.u = u.id ORDER BY 1, 3, 2")
            }
            (Shape::UsersExist, true) => format!(
                "SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM v a WHERE a.e MATCH u.taste AND a.ef_search = 'exact'
                 AND {filter}{filler}) ORDER BY 1"
            ),
            (Shape::UsersExist, false) => format!(
                "SELECT u.id FROM users u WHERE u.taste IS NOT NULL AND EXISTS (SELECT 1 FROM {of_user} a WHERE {filter}) ORDER BY 1"
            ),
            (_, true) => format!(
                "SELECT u.id, (SELECT group_concat(id) FROM (SELECT a.id FROM v(u.taste) a WHERE a.ef_search = 'exact' AND {filter}
                 ORDER BY a.distance LIMIT {k})) FROM users u"
            ),
            (_, false) => format!(
                "SELECT u.id, (SELECT group_concat(id) FROM (SELECT a.id FROM {of_user} a WHERE u.taste IS NOT NULL AND {filter}
                 ORDER BY a.distance, a.id LIMIT {k})) FROM users u"
            ),
        }
    }
}
