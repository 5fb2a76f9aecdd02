// The playground: controls write SQL, SQLite in a worker runs it, the rows are cards. The address holds the state.
import { PAGE, hashOf, sqlOf, stateOf } from "./state.js";
import { openWorker } from "./vecrank-wasm/index.js";
import { element, ghosts, results } from "./view.js";

const byId = (id) => document.getElementById(id);
const filters = byId("filters").elements;
const names = new Map();
let state = stateOf(location.hash);
let database = null;
let turn = 0;

async function open() {
  const file = fetch("feed.db").then((response) => {
    if (!response.ok) throw new Error(`feed.db: the server answered ${response.status}`);
    return response.arrayBuffer();
  });
  database = await openWorker({ file });
}

/* ---- Showing a state. ---- */
async function show() {
  const mine = ++turn;
  const sql = sqlOf(state);
  byId("sql").value = sql;
  byId("sql").rows = Math.max(6, sql.split("\n").length + 1);
  controls();
  byId("results").setAttribute("aria-busy", "true");
  byId("error").hidden = true;
  const slow = setTimeout(() => (byId("stop").hidden = false), 500);
  try {
    const start = performance.now();
    const answer = await database.query(sql);
    const taken = performance.now() - start;
    if (mine !== turn) return;
    byId("results").replaceChildren(...results(answer, acts));
    byId("status").textContent = `${answer.rows.length} ${answer.rows.length === 1 ? "row" : "rows"} in ${taken.toFixed(1)} ms`;
    pages(answer.rows.length);
    const plan = await planOf(sql);
    if (mine !== turn) return;
    byId("plan").lastElementChild.textContent = plan;
    await likes();
  } catch (error) {
    if (mine === turn) failed(error);
  } finally {
    clearTimeout(slow);
    if (mine === turn) {
      byId("stop").hidden = true;
      byId("results").setAttribute("aria-busy", "false");
    }
  }
}

async function planOf(sql) {
  if (!/^\s*(select|with|values)\b/i.test(sql)) return "";
  const { columns, rows } = await database.query(`EXPLAIN QUERY PLAN ${sql}`);
  const [id, parent, detail] = ["id", "parent", "detail"].map((name) => columns.indexOf(name));
  const depth = new Map();
  return rows.map((row) => {
    depth.set(row[id], (depth.get(row[parent]) ?? -1) + 1);
    return "  ".repeat(depth.get(row[id])) + row[detail];
  }).join("\n");
}

function failed(error) {
  byId("error").textContent = error.message;
  byId("error").hidden = false;
  byId("status").textContent = "";
  byId("plan").lastElementChild.textContent = "";
  byId("results").replaceChildren();
  byId("pages").hidden = true;
}

function acts(key, name) {
  names.set(key, name);
  const isLiked = state.likes.includes(key);
  const likes = isLiked ? state.likes.filter((other) => other !== key) : [...state.likes, key];
  const like = element("button", { type: "button", ariaPressed: String(isLiked), ariaLabel: `Like ${name}` }, isLiked ? "♥" : "♡");
  like.addEventListener("click", () => go(feed(likes)));
  const alike = element("a", { href: hashOf(feed([key])), ariaLabel: `More like ${name}` }, "More like this");
  return { isLiked, like, alike };
}

async function likes() {
  const unknown = state.likes.filter((key) => !names.has(key));
  if (unknown.length) {
    const marks = unknown.map(() => "?").join(", ");
    const found = await database.query(`SELECT article_id, main_name FROM articles WHERE article_id IN (${marks})`, unknown);
    found.rows.forEach(([key, name]) => names.set(key, name));
  }
  byId("likes").replaceChildren(...state.likes.map((key) => {
    const name = names.get(key) ?? key;
    const remove = element("button", { type: "button", ariaLabel: `Remove ${name}` }, "✕");
    remove.addEventListener("click", () => go(feed(state.likes.filter((other) => other !== key))));
    return element("li", {}, element("span", {}, name), remove);
  }));
  const first = (names.get(state.likes[0]) ?? state.likes[0] ?? "").split(",")[0];
  byId("title").textContent = state.sql !== null ? "Your query"
    : ["The newest articles", `More like ${first}`][state.likes.length] ?? `A blend of ${state.likes.length} that you like`;
}

function pages(count) {
  const { page } = state;
  const link = (id, other, exists) => {
    if (exists) byId(id).href = hashOf({ ...state, page: other });
    else byId(id).removeAttribute("href");
  };
  link("previous", page - 1, page > 1);
  link("next", page + 1, count === PAGE);
  byId("page").textContent = `Page ${page}`;
  byId("pages").hidden = state.sql !== null;
}

/* ---- Changing it. ---- */
function controls() {
  filters.category.value = state.category;
  filters.max.value = state.max ?? "";
  filters.stock.checked = state.stock;
  filters.vary.checked = state.vary;
  filters.vary.disabled = state.likes.length === 0;
}

/** The first page of the feed of some likes, with the filters as they are. */
function feed(likes) {
  return { ...state, likes, page: 1, sql: null };
}

/** The state that the controls say, on its first page. */
function fromControls() {
  const { category, max, stock, vary } = filters;
  const isFilled = category.length > 1;
  return { ...feed(state.likes), category: isFilled ? category.value : state.category, max: max.valueAsNumber || null, stock: stock.checked, vary: vary.checked };
}

function go(wanted) {
  location.hash = hashOf(wanted);
}

addEventListener("hashchange", () => {
  state = stateOf(location.hash);
  if (database) show().then(() => byId("title").focus({ preventScroll: true }));
  scrollTo({ top: 0 });
});
byId("filters").addEventListener("change", () => go(fromControls()));
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("query").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = { ...state, sql: byId("sql").value };
  if (wanted.sql === sqlOf(state)) show();
  else go(wanted);
});
byId("sql").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("query").requestSubmit();
});
byId("stop").addEventListener("click", async () => {
  turn++;
  database.terminate();
  byId("stop").hidden = true;
  await open();
  failed(new Error("Stopped. The catalogue is as it was when the page was loaded."));
});

async function start() {
  byId("plan").open = matchMedia("(min-width: 58rem)").matches;
  byId("results").replaceChildren(ghosts(8));
  try {
    await open();
    await show();
    const { rows } = await database.query("SELECT DISTINCT category FROM articles_rows ORDER BY category");
    filters.category.append(...rows.map(([category]) => element("option", {}, category)));
    controls();
  } catch (error) {
    failed(error);
  }
  navigator.serviceWorker?.register("sw.js");
}

start();
