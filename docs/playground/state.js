// What the page shows, as its address has it, and the SQL of it.

export const PAGE = 20;
const DEFAULT = ["A00018", "A00982", "A01153"];

/** Either `sql`, or what the controls say: likes, filters and the page. */
export function stateOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  if (given.has("sql")) return { ...CONTROLS, likes: [], sql: given.get("sql") };
  const likes = given.size ? given.getAll("like").filter(Boolean) : DEFAULT;
  const page = Math.max(1, Math.trunc(Number(given.get("page"))) || 1);
  const max = Number(given.get("max")) > 0 ? Number(given.get("max")) : null;
  return { likes, category: given.get("category") ?? "", max, stock: given.has("stock"), vary: given.has("vary"), page, sql: null };
}

const CONTROLS = { category: "", max: null, stock: false, vary: false, page: 1 };

export function hashOf(state) {
  const parts = new URLSearchParams();
  if (state.sql !== null) {
    parts.set("sql", state.sql);
    return `#${parts}`;
  }
  state.likes.forEach((key) => parts.append("like", key));
  if (state.likes.length === 0) parts.set("like", "");
  if (state.category) parts.set("category", state.category);
  if (state.max) parts.set("max", state.max);
  if (state.stock) parts.set("stock", "1");
  if (state.vary) parts.set("vary", "1");
  if (state.page > 1) parts.set("page", state.page);
  return `#${parts}`;
}

const text = (value) => `'${value.replaceAll("'", "''")}'`;

function taste(likes) {
  if (likes.length === 1) return `SELECT embedding FROM articles\n    WHERE article_id = ${text(likes[0])}`;
  return `SELECT vec_avg(embedding) FROM articles\n    WHERE article_id IN (\n      ${likes.map(text).join(",\n      ")})`;
}

/** The statement that the controls stand for. */
export function sqlOf(state) {
  if (state.sql !== null) return state.sql;
  const ranked = state.likes.length > 0;
  const terms = [];
  if (ranked) terms.push(`embedding MATCH (\n    ${taste(state.likes)})`);
  if (ranked && state.vary) terms.push("group_by = 'brand'\n  AND group_limit = 2");
  if (state.category) terms.push(`category = ${text(state.category)}`);
  if (state.max) terms.push(`retail_price <= ${state.max}`);
  if (state.stock) terms.push("in_stock > 0");
  const lines = [
    "SELECT article_id, main_name, description,",
    "  category, brand, retail_price, in_stock,",
    ranked ? "  distance" : "  listed_on",
    "FROM articles",
    terms.length ? `WHERE ${terms.join("\n  AND ")}` : null,
    ranked ? "ORDER BY distance" : "ORDER BY listed_on DESC, article_id",
    `LIMIT ${PAGE} OFFSET ${(state.page - 1) * PAGE}`,
  ];
  return lines.filter((line) => line !== null).join("\n");
}
