// A run's page: its map, its charts, and the events that keep both as the run is.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const root = document.getElementById("run");
  const tip = document.getElementById("tip");
  const link = document.getElementById("link");
  const SIGNS = { d: "✓", u: "=", f: "✕", l: "L", q: "?", b: "B", s: "S", r: "▸", o: "", n: "" };
  const NAMES = { d: "done", u: "unchanged", f: "failed", l: "locked", q: "doubt", b: "blocked", s: "skipped", r: "running", o: "open", n: "open" };
  const WORDS = { ...NAMES, q: "in doubt", n: "not started" };
  const codes = [...data.codes];
  let colours = {};

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    const names = new Set([...Object.values(NAMES), "sign", "text", "dim", "line", "accent"]);
    colours = Object.fromEntries([...names].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }

  // One canvas for each wave: ten thousand elements would cost more than they tell.
  class Lane {
    constructor(first, count, place) {
      this.first = first;
      this.place = place;
      this.count = count;
      this.focus = -1;
      this.canvas = document.createElement("canvas");
      this.canvas.tabIndex = 0;
      this.canvas.setAttribute("role", "application");
      this.canvas.setAttribute("aria-roledescription", "map of targets");
      this.canvas.setAttribute("aria-label", `${count} targets: arrow keys move, Enter opens`);
      this.canvas.addEventListener("mousemove", (event) => this.tell(this.at(event)));
      this.canvas.addEventListener("mouseleave", () => this.tell(-1));
      this.canvas.addEventListener("click", (event) => this.open(this.at(event)));
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      place.append(this.canvas);
      this.canvas.addEventListener("blur", () => { this.focus = -1; this.draw(); });
    }

    layout() {
      const width = this.canvas.clientWidth || 600;
      this.size = codes.length > 5000 ? 7 : codes.length > 1500 ? 11 : codes.length > 300 ? 15 : 20;
      this.columns = Math.max(1, Math.floor(width / this.size));
      const height = Math.ceil(this.count / this.columns) * this.size;
      const ratio = window.devicePixelRatio || 1;
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.height = `${height}px`;
      this.context = this.canvas.getContext("2d");
      this.context.scale(ratio, ratio);
      this.draw();
    }

    draw() {
      for (let at = 0; at < this.count; at += 1) this.cell(at);
    }

    cell(at) {
      const { context, size } = this;
      const x = (at % this.columns) * size;
      const y = Math.floor(at / this.columns) * size;
      const code = codes[this.first + at];
      context.clearRect(x, y, size, size);
      context.fillStyle = colours[NAMES[code]] || colours.open;
      const gap = size > 9 ? 2 : 1;
      if (size > 9) {
        context.beginPath();
        context.roundRect(x, y, size - gap, size - gap, 3);
        context.fill();
      } else {
        context.fillRect(x, y, size - gap, size - gap);
      }
      if (size > 9 && SIGNS[code]) {
        context.fillStyle = colours.sign;
        context.font = `700 ${Math.round(size * 0.62)}px system-ui, sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText(SIGNS[code], x + (size - gap) / 2, y + (size - gap) / 2 + 0.5);
      }
      if (at === this.focus) {
        context.strokeStyle = colours.text;
        context.lineWidth = 2;
        context.strokeRect(x + 1, y + 1, size - gap - 2, size - gap - 2);
      }
    }

    at(event) {
      const box = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left) / this.size);
      const row = Math.floor((event.clientY - box.top) / this.size);
      const at = row * this.columns + column;
      return column < this.columns && at >= 0 && at < this.count ? at : -1;
    }

    tell(at) {
      tip.textContent = at < 0 ? "" : `${data.prefix}${data.names[this.first + at]}: ${WORDS[codes[this.first + at]]}`;
    }

    open(at) {
      if (at >= 0) location.assign(`/runs/${data.run}/targets/${data.positions[this.first + at]}`);
    }

    key(event) {
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
      if (event.key === "Enter") { this.open(this.focus); return; }
      if (!(event.key in steps)) return;
      event.preventDefault();
      const before = this.focus;
      this.focus = Math.min(this.count - 1, Math.max(0, before < 0 ? 0 : before + steps[event.key]));
      if (before >= 0) this.cell(before);
      this.cell(this.focus);
      this.tell(this.focus);
    }
  }

  readColours();
  const lanes = [];
  let first = 0;
  for (const [wave, count] of data.lanes) {
    lanes.push(new Lane(first, count, document.querySelector(`[data-lane="${wave}"]`)));
    first += count;
  }
  const layout = () => lanes.forEach((lane) => lane.layout());
  layout();
  new ResizeObserver(() => requestAnimationFrame(layout)).observe(document.getElementById("lanes"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); layout(); charts.again(); });

  function set(at, code) {
    if (codes[at] === code) return;
    codes[at] = code;
    const lane = lanes.find((one) => at >= one.first && at < one.first + one.count);
    if (lane) lane.cell(at - lane.first);
  }

  // Two charts: how many ended, and how long they took.
  const charts = {
    made: [],
    async load() {
      const answer = await fetch(`/runs/${data.run}/series`);
      if (!answer.ok) return;
      this.series = await answer.json();
      this.draw();
    },
    draw() {
      const { at, done, failed, middle, longest } = this.series;
      const values = [[at, done, failed], [at, middle, longest]];
      if (this.made.length) {
        this.made.forEach((chart, which) => chart.setData(values[which]));
        return;
      }
      const axis = { stroke: colours.dim, grid: { stroke: colours.line, width: 1 }, ticks: { stroke: colours.line } };
      const line = (label, colour, fill) => ({ label, stroke: colours[colour], width: 2, spanGaps: true, points: { show: at.length < 3 }, fill });
      const two = (number) => String(number).padStart(2, "0");
      const time = (seconds) => { const at = new Date(seconds * 1000); return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`; };
      const chart = (id, title, series, unit, rows) => new uPlot({
        title, width: document.getElementById(id).clientWidth - 20, height: 190,
        scales: { y: { range: (_, low, high) => [0, Math.max(high, 1) * 1.1] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map(time), space: 80 }, { ...axis, values: (_, ticks) => ticks.map((tick) => tick + unit), size: 56 }],
        series: [{ label: "UTC", value: (_, at) => (at == null ? "" : time(at)) }, ...series],
      }, rows, document.getElementById(id));
      this.made = [
        chart("chart-ended", "Targets that ended", [line("done", "done"), line("not done", "failed")], "", values[0]),
        chart("chart-took", "What they took", [line("median", "running"), line("longest", "locked")], " s", values[1]),
      ];
    },
    again() {
      this.made.forEach((chart) => chart.destroy());
      this.made = [];
      if (this.series) this.draw();
    },
  };
  charts.load();
  let width = document.documentElement.clientWidth;
  addEventListener("resize", () => {
    if (document.documentElement.clientWidth !== width) {
      width = document.documentElement.clientWidth;
      charts.again();
    }
  });

  let events = null;
  let stale = false;
  function connect() {
    if (events) return;
    events = new EventSource(`/runs/${data.run}/events`);
    events.addEventListener("open", () => { link.hidden = true; });
    events.addEventListener("error", () => {
      link.textContent = "The connection is lost: what you see is what was. Trying again…";
      link.hidden = false;
      if (events && events.readyState === EventSource.CLOSED) {
        events = null;
        setTimeout(again, 3000);
      }
    });
    events.addEventListener("trouble", (event) => { link.textContent = event.data; link.hidden = false; });
    events.addEventListener("codes", (event) => { [...event.data].forEach((code, at) => set(at, code)); });
    events.addEventListener("cells", (event) => { JSON.parse(event.data).forEach(([at, code]) => set(at, code)); stale = true; });
    events.addEventListener("now", (event) => {
      const { now } = JSON.parse(event.data);
      clock.offset = now - Date.now();
      link.hidden = true;
    });
    events.addEventListener("part", (event) => {
      const { part, html } = JSON.parse(event.data);
      const place = document.getElementById(`part-${part}`);
      if (place.contains(document.activeElement) && document.activeElement !== document.body) {
        const href = document.activeElement.getAttribute("href");
        place.innerHTML = html;
        const same = href && [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === href);
        if (same) same.focus();
      } else {
        place.innerHTML = html;
      }
      tick();
    });
  }
  async function again() {
    // Signed out meanwhile: the page would say so.
    const answer = await fetch(`/runs/${data.run}/series`, { redirect: "manual" }).catch(() => null);
    if (answer && (answer.status === 401 || answer.type === "opaqueredirect")) location.reload();
    else connect();
  }
  connect();
  setInterval(() => { if (stale && !document.hidden) { stale = false; charts.load(); } }, 5000);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && events) { events.close(); events = null; }
    if (!document.hidden) connect();
  });
  addEventListener("pagehide", () => { if (events) { events.close(); events = null; } });
  addEventListener("pageshow", () => { if (!document.hidden) connect(); });
})();
