// What a report does where scripts run: its table can be filtered and sorted.
"use strict";

const FIRST = 500; // rows at once: a browser takes seconds to lay out ten thousand
const table = document.getElementById("table");
const body = table.tBodies[0];
const headings = Array.from(table.tHead.rows[0].cells);
const [text, state, wave, shown, more] = ["text", "state", "wave", "shown", "more"]
  .map((id) => document.getElementById(id));
const number = new Intl.NumberFormat("en");
let rows = Array.from(body.rows, (row) => ({
  row, text: row.textContent.toLowerCase(), state: row.cells[1].lastChild.data, wave: row.cells[2].textContent,
}));
let limit = FIRST;

function filter() {
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const one of rows) {
    const fits = (!state.value || one.state === state.value)
      && (!wave.value || one.wave === wave.value)
      && words.every((word) => one.text.includes(word));
    count += fits;
    const hidden = !fits || count > limit;
    if (one.row.hidden !== hidden) one.row.hidden = hidden;
  }
  const of = rows.length === 1 ? "1 target" : `${number.format(rows.length)} targets`;
  const cut = count > limit ? `, of which the first ${number.format(limit)} are shown` : "";
  shown.textContent = (count === rows.length ? of : `${number.format(count)} of ${of}`) + cut;
  more.hidden = count <= limit;
}

function sort(column) {
  const heading = headings[column];
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const one of headings) one.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const isNumber = heading.classList.contains("number");
  const keyed = rows.map((one) => {
    const cell = one.row.cells[column];
    const said = cell.dataset.v ?? cell.textContent;
    return [said === "", isNumber ? Number(said) : said, one];
  });
  // What has no value comes last, whichever way.
  keyed.sort(([none, a], [no, b]) => (none - no) || sign * ((a > b) - (a < b)));
  rows = keyed.map(([, , one]) => one);
  body.remove();
  for (const one of rows) body.append(one.row);
  table.append(body);
  filter();
}

function goTo() {
  const row = /^#t\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  if (!row || !row.hidden) return;
  [text.value, state.value, wave.value] = [row.cells[0].textContent, "", ""];
  filter();
  row.scrollIntoView();
}

headings.forEach((heading, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = heading.textContent;
  button.addEventListener("click", () => sort(column));
  heading.replaceChildren(button);
});
let wait;
text.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(filter, 120); });
for (const one of [state, wave]) one.addEventListener("change", filter);
more.addEventListener("click", () => { limit = Infinity; filter(); });
addEventListener("hashchange", goTo);
addEventListener("beforeprint", () => { limit = Infinity; filter(); });
document.getElementById("filters").hidden = false;
filter(); // a browser that comes back keeps what was typed
goTo();
