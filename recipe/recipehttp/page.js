"use strict";
// Shows the JSON and asks for it again. All text comes in through textContent: names and
// data come from others, and are never read as HTML.

const get = (parent, selector) => parent.querySelector(selector);

// text changes a node only if it says something else: screen readers announce changes.
function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

function make(tag, className, value) {
  const node = document.createElement(tag);
  node.className = className;
  if (value) node.textContent = value;
  return node;
}

// ago says how long a time in ms is.
function ago(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 60) return Math.floor(s) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s / 60 % 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s / 3600 % 24) + " h";
}

// Each name gets a color, in the order in which the names appear.
const colors = new Map();
function color(id) {
  if (!colors.has(id)) colors.set(id, "c" + colors.size % 8);
  return colors.get(id);
}

// cells shows rows in a table's body. A cell is short text. If others decide how long the text
// is, the cell is {text, dot, badge}.
function cells(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, i) => {
    const tr = body.rows[i] || body.insertRow();
    if (tr.className !== (row.leads ? "leads" : "")) tr.className = row.leads ? "leads" : "";
    row.cells.forEach((cell, k) => {
      const td = tr.cells[k] || tr.insertCell();
      const what = typeof cell === "string" ? {text: cell} : cell;
      const key = JSON.stringify(what);
      if (td.key === key) return;
      td.key = key;
      td.className = what === cell ? "wide" : "";
      td.replaceChildren();
      if (what.dot) td.append(make("span", "dot " + what.dot));
      td.append(what.text);
      if (what.badge) td.append(make("span", "badge", what.badge));
    });
  });
}

const name = id => id === "" ? "(no name)" : id;
const called = c => c.hidden && c.id === "" ? "(hidden)" : name(c.id);
const person = c => ({text: called(c), dot: color(called(c)), badge: c.here ? "this process" : ""});

function showConnection(section, e, now) {
  const pill = get(section, ".connection"), good = e.connection.state === "connected";
  text(pill, "ZooKeeper: " + e.connection.state);
  pill.className = "connection pill " + (good ? "good" : "bad");
  const trouble = get(section, ".trouble");
  let say = "";
  if (e.ended) say = "Not followed any more: " + e.ended;
  else if (!good) say = "No connection to ZooKeeper for " + ago(now - Date.parse(e.connection.since)) + ": what is shown may be old.";
  else if (e.line_failed) say = "The line could not be read: what is shown may be old.";
  text(trouble, say);
  trouble.hidden = say === "";
  const impaired = get(section, ".impaired"), own = e.candidates.find(c => c.impaired);
  text(impaired, own ? "A change of leader may take longer than the lease, " + ago(e.connection.lease_ms) + ": " + own.impaired : "");
  impaired.hidden = !own;
}

function showLeader(section, e, now) {
  const who = get(section, ".leader"), l = e.leader;
  get(section, ".lead").classList.toggle("some", !!l);
  who.classList.toggle("none", !l);
  text(who, l ? called(l) : e.known ? "nobody" : "not known yet");
  const term = l && e.terms.find(t => t.node === l.node);
  let detail = "";
  if (l) detail = l.hidden ? "no permission to read its znode" : "token " + l.token;
  if (term) detail += (term.began_before ? ", leads for more than " : ", leads for ") + ago(now - Date.parse(term.begin));
  if (l && l.here) detail += ", in this process";
  text(get(section, ".leader-detail"), detail);

  const bar = get(section, ".bar"), fill = get(section, ".fill");
  get(section, ".lease").hidden = !e.lease;
  if (!e.lease) {
    text(get(section, ".lease-text"), l ? "How long the lease still runs is known to the leader's own process." : "");
    return;
  }
  const ms = e.lease.remaining_ms, all = e.lease.length_ms;
  fill.style.width = Math.min(100, 100 * ms / all) + "%";
  fill.classList.toggle("low", ms < all / 4);
  bar.setAttribute("aria-valuemax", all);
  bar.setAttribute("aria-valuenow", Math.min(ms, all));
  const words = "lease runs for " + ago(ms) + " of " + ago(all) + " unless the next beat extends it";
  bar.setAttribute("aria-valuetext", words);
  text(get(section, ".lease-text"), words);
}

function showHeir(section, e) {
  const who = get(section, ".heir"), h = e.heir;
  who.classList.toggle("none", !h);
  text(who, h ? called(h) : "nobody");
  text(get(section, ".heir-detail"), h ? "leads as soon as the leader has gone" + (h.here ? "; in this process" : "") : "");
}

// showLanes draws who led when: one lane for each name, the latest half hour at most.
function showLanes(section, e, now) {
  const end = t => t.end ? Date.parse(t.end) : now;
  const oldest = Math.min(now - 30e3, ...e.terms.map(t => Date.parse(t.begin)));
  const begin = Math.max(oldest, now - 1800e3), span = now - begin;
  const terms = e.terms.filter(t => end(t) >= begin);
  const names = [...new Set(terms.map(called))].slice(0, 8).sort();
  const lanes = get(section, ".lanes"), nodes = [];
  for (const id of names) {
    const label = make("div", "name", id), lane = make("div", "lane", "");
    label.title = id;
    for (const t of terms.filter(t => called(t) === id)) {
      const from = Math.max(Date.parse(t.begin), begin);
      const stretch = make("div", "stretch " + color(id), "");
      stretch.style.left = 100 * (from - begin) / span + "%";
      stretch.style.width = 100 * (end(t) - from) / span + "%";
      stretch.title = "token " + (t.hidden ? "hidden" : t.token) + (t.reason ? ", " + t.reason : "");
      lane.append(stretch);
    }
    nodes.push(label, lane);
  }
  const axis = make("div", "axis aside", "");
  axis.append(make("span", "", ago(span) + " ago"), make("span", "", "now"));
  lanes.replaceChildren(...nodes, axis);
  get(section, ".history").hidden = names.length === 0;
}

function showTables(section, e, now) {
  const withData = e.line.some(c => c.data);
  get(section, "th.data").hidden = !withData;
  cells(get(section, ".line tbody"), e.line.map((c, i) => ({
    leads: i === 0,
    cells: [["leader", "heir"][i] || String(i + 1), person(c), c.hidden ? "hidden" : c.token, c.hidden ? "hidden" : c.session || "none", ...(withData ? [{text: c.data || ""}] : [])],
  })));
  text(get(section, ".line-note"), e.line_total > e.line.length ? "(the first " + e.line.length + " of " + e.line_total + ")" : "");
  cells(get(section, ".terms tbody"), e.terms.map(t => ({
    leads: !t.end,
    cells: [t.hidden ? "hidden" : t.token, person(t),
      (t.began_before ? "before " : "") + new Date(t.begin).toLocaleTimeString(),
      (t.began_before ? "more than " : "") + ago((t.end ? Date.parse(t.end) : now) - Date.parse(t.begin)),
      t.reason || (t.end ? "known to its process" : "leads")],
  })));
  const own = get(section, ".candidates");
  own.hidden = e.candidates.length === 0;
  cells(own.tBodies[0], e.candidates.map(c => ({
    cells: [person({id: c.id}),
      c.state + (c.trying_since ? ", not in line for " + ago(now - Date.parse(c.trying_since)) : ""),
      ago(now - Date.parse(c.since)), c.position === undefined ? "" : String(c.position),
      (c.last_reason || "") + (c.last_err ? ": " + c.last_err : "")],
  })));
}

// lockRows has a row for each claim of a lock, or one row that says that there is none.
function lockRows(l, now) {
  const kind = l.kind + (l.size ? " of " + l.size : "");
  const row = (state, since, c) => ({leads: state.startsWith("held"), cells: [
    {text: l.path}, kind, state, since ? ago(now - Date.parse(since)) : "",
    c.position === undefined ? "" : String(c.position), c.token || "", c.lease_ms ? ago(c.lease_ms) : "", String(l.acquired), String(l.lost),
  ]});
  if (l.claims.length === 0) return [row("idle", "", {})];
  const rows = l.claims.map(c => {
    let state = c.state;
    if (c.slots && c.slots.length) state += ", slot " + c.slots.join(", ");
    else if (c.permits > 1) state += ", " + c.permits + " permits";
    if (c.reason) state += ": " + c.reason;
    if (c.blocked) state += ", behind a persistent znode";
    if (c.trying_since) state += ", not in line";
    return row(state, c.since, c);
  });
  if (l.claims_total > l.claims.length) rows.push(row(l.claims_total - l.claims.length + " more", "", {}));
  return rows;
}

// table fills one, and hides it if it is empty. It may show only a part of total.
function table(selector, rows, shown, total) {
  const t = get(document, "#recipes " + selector);
  t.hidden = rows.length === 0;
  text(get(t, ".part"), total > shown ? "(" + shown + " of " + total + ")" : "");
  cells(t.tBodies[0], rows);
}

function showRecipes(data, now) {
  table(".locks", data.locks.flatMap(l => lockRows(l, now)), data.locks.length, data.locks_total);
  table(".members", data.members.map(m => ({leads: false, cells: [
    {text: m.path}, person({id: m.id}), m.over ? "left" : m.listed ? "listed" : "not listed", ago(now - Date.parse(m.since)),
    m.token || "", m.lease_ms ? ago(m.lease_ms) : "", m.last_reason || "",
  ]})), data.members.length, data.members_total);
  table(".groups", data.groups.map(g => ({leads: false, cells: [
    {text: g.path}, {text: g.members.map(m => name(m.id) + (m.hidden ? " (hidden)" : "") + (m.data ? " (" + m.data + ")" : "")).join(", ")},
    g.known ? String(g.members_total) : "not known yet", g.ended ? "not followed any more" : g.known ? ago(g.age_ms) : "",
  ]})), data.groups.length, data.groups_total);
  table(".caches", data.caches.map(c => ({leads: false, cells: [
    {text: c.path}, c.ended ? "ended" : !c.loaded ? "loading" : c.following ? "following" : "not following",
    String(c.nodes), String(c.bytes), c.loaded ? ago(c.age_ms) + " ago" : "", String(c.reads),
  ]})), data.caches.length, data.caches_total);
  get(document, "#recipes").hidden = data.locks.length + data.members.length + data.groups.length + data.caches.length === 0;
}

function show(data) {
  const now = Date.parse(data.now), main = document.getElementById("elections");
  text(document.getElementById("title"), data.title);
  if (document.title !== data.title) document.title = data.title;
  while (main.children.length > data.elections.length) main.lastElementChild.remove();
  data.elections.forEach((e, i) => {
    if (!main.children[i]) main.append(document.getElementById("election").content.cloneNode(true));
    const section = main.children[i];
    text(get(section, ".path"), e.path);
    showConnection(section, e, now);
    showLeader(section, e, now);
    showHeir(section, e);
    showLanes(section, e, now);
    showTables(section, e, now);
  });
  showRecipes(data, now);
}

// Asks for the JSON. A page that is not visible does not ask. If the server does not answer, the page
// asks more and more rarely.
const answerWithin = 5000, longest = 10000;
let refresh = 1000, failures = 0, timer = 0, asking = false, lost = 0;

function contact(ok) {
  const pill = document.getElementById("contact");
  if (ok) { failures = 0; lost = 0; } else { failures++; lost = lost || performance.now(); }
  text(pill, ok ? "live" : "no answer for " + ago(performance.now() - lost) + ": what is shown is old");
  pill.className = "pill " + (ok ? "good" : "bad");
}

async function ask() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  const abort = new AbortController(), late = setTimeout(() => abort.abort(), answerWithin);
  try {
    // Not simply "?format=json": the page's address may hold a user and a password.
    const url = location.origin + location.pathname + "?format=json";
    const answer = await fetch(url, {cache: "no-store", signal: abort.signal});
    if (!answer.ok) throw new Error("status " + answer.status);
    const data = await answer.json();
    refresh = data.refresh_ms;
    show(data);
    contact(true);
  } catch {
    contact(false);
  }
  clearTimeout(late);
  asking = false;
  timer = setTimeout(ask, Math.min(refresh * 2 ** Math.min(failures, 10), Math.max(longest, refresh)));
}

document.addEventListener("visibilitychange", ask);
ask();
