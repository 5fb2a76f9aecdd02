// Rows as cards, or as a table.

/** An element with properties and children; text is never taken for HTML. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const MOST = 200;
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** Cards if the rows are articles, else a table. `acts` makes the links and buttons of an article. */
export function results({ columns, rows }, acts) {
  const shown = rows.slice(0, MOST);
  const isFeed = columns.includes("article_id") && columns.includes("main_name");
  const box = isFeed ? cards(columns, shown, acts) : table(columns, shown);
  const rest = rows.length > MOST ? element("p", {}, `The first ${MOST} of ${rows.length} rows.`) : null;
  return [box, rest].filter((part) => part !== null);
}

function cards(columns, rows, acts) {
  const made = rows.map((row) => card(Object.fromEntries(columns.map((column, at) => [column, row[at]])), acts));
  return element("ul", { className: "cards" }, ...made);
}

function card(row, acts) {
  const { isLiked, like, alike } = acts(String(row.article_id), String(row.main_name));
  const kind = [row.category, row.brand].filter(Boolean).join(" · ");
  return element("li", { className: isLiked ? "card is-liked" : "card" },
    typeof row.distance === "number" ? nearness(row.distance) : null,
    element("h2", {}, String(row.main_name)),
    kind ? element("p", { className: "kind" }, kind) : null,
    row.description ? element("p", { className: "about" }, String(row.description)) : null,
    element("div", { className: "foot" },
      element("span", { className: "price" }, typeof row.retail_price === "number" ? money.format(row.retail_price) : "",
        row.in_stock === 0 ? element("small", {}, " sold out") : null),
      element("span", { className: "acts" }, like, alike)));
}

function nearness(distance) {
  const alike = Math.max(0, 1 - distance);
  return element("div", { className: "near" },
    element("meter", { min: 0, max: 1, value: alike, "aria-label": "similarity" }),
    `${Math.round(100 * alike)} % alike`);
}

function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column)));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell)));
  return element("div", { className: "scroll", tabIndex: 0 },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

function cell(value) {
  if (value === null) return element("td", { className: "null" }, "NULL");
  if (value instanceof Uint8Array) return element("td", { className: "null" }, `BLOB, ${value.length} bytes`);
  const isNumber = typeof value === "number" || typeof value === "bigint";
  return element("td", { className: isNumber ? "number" : "" }, String(value));
}

export function ghosts(count) {
  return element("ul", { className: "cards" }, ...Array.from({ length: count }, () => element("li", { className: "card ghost" })));
}
