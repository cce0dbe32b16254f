"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  data.lanes = JSON.parse(document.getElementById("observed").textContent);
  const $ = (id) => document.getElementById(id);
  const PAGE = 120;

  // Everything shown is built here from text nodes: labels and attributes come from outside.
  function el(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) node.append(child);
    }
    return node;
  }
  const href = (path) => path.split("/").map(encodeURIComponent).join("/");
  const pad = (n, width = 2) => String(n).padStart(width, "0");
  const count = (n, one, many) => n.toLocaleString("en") + " " + (n === 1 ? one : many || one + "s");

  function clock(seconds, decimals = 0) {
    const sign = seconds < 0 ? "-" : "";
    const scale = 10 ** decimals;
    const all = Math.round(Math.abs(seconds) * scale);
    const whole = Math.floor(all / scale);
    const h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    const fraction = decimals ? "." + pad(all % scale, decimals) : "";
    return sign + (h ? h + ":" + pad(m) : m) + ":" + pad(s) + fraction;
  }
  const seconds = (value) => (Math.round(value * 10) / 10).toFixed(1) + " s";
  const short = (value) => typeof value === "number" && !Number.isInteger(value) ? String(+value.toPrecision(5)) : typeof value === "string" ? value : JSON.stringify(value);
  const attribute = ([key, value]) => value === true ? key : key + " " + (value === false ? "no" : short(value));
  const points = (score) => score === null || score === undefined ? "–" : (+score.toFixed(3)).toLocaleString("en");

  const segments = data.segments;
  const replays = data.replays;
  const markOn = (segment, track) => {
    const marks = segment.opto[track];
    return marks || (segment.end === null ? null : [segment.start, segment.end]);
  };
  for (const [index, segment] of segments.entries()) {
    segment.index = index;
    const optimized = Object.values(segment.opto);
    segment.marks = optimized[0] || [segment.start, segment.end === null ? data.duration : segment.end];
    segment.title = segment.label || segment.by + " " + clock(segment.start);
    segment.choices = [];
    segment.best = null;
    segment.words = [segment.title, segment.id, segment.by, ...Object.entries(segment.attributes).map(attribute)].join(" ").toLowerCase();
  }
  for (const replay of replays) {
    for (const list of [replay.chosen, replay.left]) {
      for (const choice of list) {
        choice.replay = replay;
        choice.isIn = list === replay.chosen;
        const segment = choice.segment === null ? null : segments[choice.segment];
        if (!segment) continue;
        segment.choices.push(choice);
        if (choice.score !== null && (segment.best === null || choice.score > segment.best)) segment.best = choice.score;
      }
    }
  }
  // What is missing stands above everything that was seen.
  if (data.gaps.length) data.lanes.unshift({ name: "missing", track: null, items: data.gaps.map(([start, end, reason]) => [start, end, { reason }]) });
  const lanesOf = new Map();
  for (const lane of data.lanes) {
    lane.items.forEach((item) => { if (item[1] === null) item[1] = item[0]; });
    lane.longest = lane.items.reduce((most, item) => Math.max(most, item[1] - item[0]), 0);
    lanesOf.set(lane.name, (lanesOf.get(lane.name) || 0) + 1);
  }
  const end = Math.max(data.duration, 1, ...segments.map((s) => s.marks[1] || 0));

  // Where in a list that is sorted by start the items from `time` begin.
  function lower(items, time) {
    let low = 0, high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (items[middle][0] < time) low = middle + 1; else high = middle;
    }
    return low;
  }

  /* ---- header ---- */
  const sub = [data.event !== data.title && data.event, data.source && "source " + data.source, data.utc && "from " + data.utc].filter(Boolean);
  $("sub").textContent = sub.join(" · ");
  const complete = segments.filter((s) => s.end !== null).length;
  const observed = data.lanes.filter((lane) => lane.name !== "missing").reduce((sum, lane) => sum + lane.items.length, 0);
  const fact = (name, value, more, kind) => $("facts").append(el("div", { class: kind }, el("dt", null, name), el("dd", null, value, more ? el("small", null, more) : null)));
  fact("Duration", clock(data.duration));
  if (data.chunks) fact("Chunks", data.chunks.toLocaleString("en"));
  if (data.frames) fact("Frames", data.frames.toLocaleString("en"), data.rate + " per second");
  if (data.gaps.length) {
    const missing = data.gaps.reduce((sum, gap) => sum + gap[1] - gap[0], 0);
    fact("Missing chunks", data.gaps.length.toLocaleString("en"), missing.toFixed(1) + " s", "bad");
  }
  fact("Observations", observed.toLocaleString("en"));
  fact("Segments", segments.length.toLocaleString("en"), complete < segments.length ? segments.length - complete + " open" : "");
  fact("Replays", replays.length.toLocaleString("en"));
  fact("Errors", data.errors.length.toLocaleString("en"), "", data.errors.length ? "bad" : "");
  if (data.errors.length) {
    $("errors").hidden = false;
    const line = (error) => el("li", null, el("b", null, error.where), error.operator ? " · operator " + error.operator : "", ": " + error.message);
    $("error-list").append(...data.errors.slice(0, 20).map(line));
    if (data.errors.length > 20) {
      const rest = data.errors.slice(20);
      const more = el("button", { type: "button", onclick: () => { $("error-list").append(...rest.map(line)); more.remove(); } }, "Show " + rest.length + " more");
      $("errors").append(more);
    }
  }

  /* ---- timeline ---- */
  const AXIS = 28;
  const canvas = $("canvas"), context = canvas.getContext("2d");
  const view = { from: 0, to: end };
  let colour = {}, selected = null, playhead = null, asked = false;
  const lanes = [];

  // How a lane is best drawn follows from what its operator says: text is a coloured strip, numbers
  // alone a curve, everything else marks with a strength.
  function describe(lane) {
    const texts = new Map(), numbers = new Map();
    for (const item of lane.items) {
      for (const [key, value] of Object.entries(item[2])) {
        if (typeof value === "string") {
          if (!texts.has(key)) texts.set(key, new Map());
          const seen = texts.get(key);
          seen.set(value, (seen.get(value) || 0) + 1);
        } else if (typeof value === "number") {
          if (!numbers.has(key)) numbers.set(key, []);
          numbers.get(key).push(value);
        }
      }
    }
    const text = [...texts].filter(([, seen]) => seen.size <= 8).sort((a, b) => b[1].size - a[1].size)[0];
    const flags = lane.items.some((item) => Object.values(item[2]).some((value) => value === true));
    const number = [...numbers].sort((a, b) => b[1].length - a[1].length)[0];
    if (number) {
      const sorted = number[1].slice().sort((a, b) => a - b);
      lane.number = number[0];
      lane.low = sorted[Math.floor(sorted.length * 0.02)];
      lane.high = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.98))];
      if (lane.high <= lane.low) { lane.low = Math.min(0, lane.low); lane.high = lane.low + 1; }
    }
    if (text) {
      lane.shape = "strip";
      lane.key = text[0];
      lane.values = [...text[1].keys()].sort();
      const gaps = lane.items.slice(1, 400).map((item, i) => item[0] - lane.items[i][0]).filter((gap) => gap > 0).sort((a, b) => a - b);
      lane.hold = (gaps[gaps.length >> 1] || 1) * 2.5;
    } else {
      lane.shape = !flags && number && lane.items.length > 40 && lane.longest === 0 ? "curve" : "marks";
    }
  }

  // Segments of one segmenter that overlap are drawn in rows.
  function stack(list) {
    const ends = [];
    for (const segment of list) {
      const start = Math.min(segment.start, segment.marks[0]);
      let row = ends.findIndex((until) => until <= start);
      if (row < 0) row = ends.length < 3 ? ends.length : 2;
      ends[row] = Math.max(segment.end === null ? end : segment.end, segment.marks[1]);
      segment.row = row;
    }
    return Math.max(1, ends.length);
  }

  for (const replay of replays) {
    const items = replay.chosen.map((choice) => [choice.from, choice.to, choice]).sort((a, b) => a[0] - b[0]);
    lanes.push({ kind: "replay", name: replay.name, note: count(items.length, "clip"), items, height: 30, longest: items.reduce((m, i) => Math.max(m, i[1] - i[0]), 0) });
  }
  const by = new Map();
  for (const segment of segments) {
    if (!by.has(segment.by)) by.set(segment.by, []);
    by.get(segment.by).push(segment);
  }
  for (const [name, list] of by) {
    const rows = stack(list);
    const items = list.map((s) => [Math.min(s.start, s.marks[0]), Math.max(s.end === null ? end : s.end, s.marks[1]), s]);
    lanes.push({ kind: "segment", name, note: count(list.length, "segment"), items, rows, height: 14 + rows * 20, longest: items.reduce((m, i) => Math.max(m, i[1] - i[0]), 0) });
  }
  const hues = ["c0", "c3", "c2", "c4", "c6", "c5", "c1", "c7"];
  let hue = 0;
  for (const lane of data.lanes) {
    describe(lane);
    lane.kind = "observation";
    lane.title = lane.track !== null && lanesOf.get(lane.name) > 1 ? lane.name + ", track " + lane.track : lane.name;
    lane.note = lane.items.length.toLocaleString("en");
    lane.height = lane.shape === "curve" ? 40 : 32;
    if (lane.shape === "strip") lane.hues = lane.values.map((_, i) => hues[i % hues.length]);
    else lane.hue = hues[hue++ % hues.length];
    lanes.push(lane);
  }
  let height = AXIS;
  $("lanes").append(el("div", { class: "lane", style: "height:" + AXIS + "px" }, "Time"));
  for (const lane of lanes) {
    lane.top = height;
    height += lane.height;
    $("lanes").append(el("div", { class: "lane " + lane.kind, style: "height:" + lane.height + "px", title: lane.title || lane.name }, el("b", null, lane.title || lane.name), el("span", null, lane.note)));
  }
  canvas.style.height = height + "px";
  const key = (name, text) => el("span", null, el("i", { style: "background:var(--" + name + ")" }), text);
  if (replays.length) $("legend").append(key("replay", "in a replay"));
  if (segments.length) $("legend").append(key("segment", "segment as it is cut"));
  if (segments.some((s) => Object.keys(s.opto).length)) $("legend").append(key("original", "original marks"));
  for (const lane of data.lanes) {
    if (lane.shape === "strip") lane.values.forEach((value, i) => $("legend").append(key(lane.hues[i], lane.name + ": " + value)));
  }

  function readColours() {
    const style = getComputedStyle(document.documentElement);
    colour = {};
    for (const name of ["ink", "soft", "faint", "line", "sunk", "panel", "accent", "replay", "segment", "segment-edge", "original", "head", ...hues]) {
      colour[name] = style.getPropertyValue("--" + name).trim();
    }
  }

  function draw() {
    asked = false;
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colour.sunk;
    context.fillRect(0, 0, width, height);
    const scale = width / (view.to - view.from);
    const x = (time) => (time - view.from) * scale;
    drawAxis(width, x, scale);
    for (const lane of lanes) {
      context.fillStyle = colour.line;
      context.fillRect(0, lane.top, width, 1);
      const first = lower(lane.items, view.from - lane.longest - (lane.hold || 0));
      const last = lower(lane.items, view.to + 1e-9);
      if (lane.kind === "replay") drawReplay(lane, first, last, x);
      else if (lane.kind === "segment") drawSegments(lane, first, last, x);
      else if (lane.shape === "strip") drawStrip(lane, first, last, x, width);
      else if (lane.shape === "curve") drawCurve(lane, first, last, x, width);
      else drawMarks(lane, first, last, x, width);
    }
    if (selected) {
      const [a, b] = [x(selected.marks[0]), x(selected.marks[1])];
      context.globalAlpha = 0.1;
      context.fillStyle = colour.ink;
      context.fillRect(a, AXIS, Math.max(2, b - a), height - AXIS);
      context.globalAlpha = 1;
    }
    if (playhead !== null) {
      context.fillStyle = colour.head;
      context.fillRect(Math.round(x(playhead)) - 1, 0, 2, height);
    }
  }
  const redraw = () => { if (!asked) { asked = true; requestAnimationFrame(draw); } };

  function drawAxis(width, x, scale) {
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
    const step = steps.find((s) => s * scale >= 82) || 28800;
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let i = Math.ceil(view.from / step - 1e-9); i * step <= view.to; i++) {
      const at = Math.round(x(i * step));
      context.fillStyle = colour.line;
      context.fillRect(at, AXIS - 6, 1, height);
      context.fillStyle = colour.soft;
      const text = clock(i * step, step < 1 ? 1 : 0);
      const size = context.measureText(text).width;
      context.fillText(text, Math.min(Math.max(at - size / 2, 3), width - size - 3), AXIS / 2 - 1);
    }
  }

  function drawReplay(lane, first, last, x) {
    context.fillStyle = colour.replay;
    for (let i = first; i < last; i++) {
      const [from, to] = lane.items[i];
      const a = x(from);
      context.beginPath();
      context.roundRect(a, lane.top + 7, Math.max(2.5, x(to) - a), lane.height - 13, 3);
      context.fill();
    }
  }

  function drawSegments(lane, first, last, x) {
    for (let i = first; i < last; i++) {
      const segment = lane.items[i][2];
      const y = lane.top + 7 + segment.row * 20;
      const a = x(segment.start), b = x(segment.end === null ? end : segment.end);
      context.fillStyle = colour.original;
      context.beginPath();
      context.roundRect(a, y + 4, Math.max(1, b - a), 10, 2);
      context.fill();
      const c = x(segment.marks[0]), d = x(segment.marks[1]), wide = Math.max(1.5, d - c - (d - c > 4 ? 1 : 0));
      context.globalAlpha = segment.end === null ? 0.5 : 1;
      context.fillStyle = segment === selected ? colour["segment-edge"] : colour.segment;
      context.beginPath();
      context.roundRect(c, y, wide, 18, Math.min(3, wide / 2));
      context.fill();
      context.globalAlpha = 1;
      if (wide > 46) {
        context.save();
        context.beginPath();
        context.rect(Math.max(c, 0), y, wide - Math.max(0, -c) - 5, 18);
        context.clip();
        context.fillStyle = colour.panel;
        context.font = "600 11.5px system-ui, sans-serif";
        context.fillText(segment.title, Math.max(c, 0) + 6, y + 9.5);
        context.restore();
      }
    }
  }

  // Many observations fall on one pixel when the whole event is shown: what would be drawn over
  // is not drawn.
  function drawStrip(lane, first, last, x, width) {
    if (last - first > width) return drawShares(lane, first, last, x, width);
    let drawn = -1e9;
    for (let i = first; i < last; i++) {
      const [from, until, attributes] = lane.items[i];
      const next = i + 1 < lane.items.length ? lane.items[i + 1][0] : end;
      const to = until > from ? until : Math.min(next, from + lane.hold);
      const b = x(to);
      if (b <= drawn + 0.5) continue;
      const value = lane.values.indexOf(attributes[lane.key]);
      const a = Math.max(x(from), drawn);
      drawn = Math.max(b, a + 1);
      if (value < 0) continue;
      context.fillStyle = colour[lane.hues[value]];
      context.fillRect(a, lane.top + 8, drawn - a, lane.height - 15);
    }
  }

  // Several values share a pixel: each takes its part of the height.
  function drawShares(lane, first, last, x, width) {
    const columns = Math.ceil(width), kinds = lane.values.length;
    const weights = new Float64Array(columns * kinds), sums = new Float64Array(columns);
    const codes = new Map(lane.values.map((value, i) => [value, i]));
    for (let i = first; i < last; i++) {
      const [from, until, attributes] = lane.items[i];
      const value = codes.get(attributes[lane.key]), column = Math.floor(x(from));
      if (value === undefined || column < 0 || column >= columns) continue;
      const next = i + 1 < lane.items.length ? lane.items[i + 1][0] : end;
      const long = until > from ? until - from : Math.min(next - from, lane.hold);
      weights[column * kinds + value] += long;
      sums[column] += long;
    }
    const top = lane.top + 6, tall = lane.height - 11;
    for (let value = 0; value < kinds; value++) {
      context.fillStyle = colour[lane.hues[value]];
      for (let column = 0; column < columns; column++) {
        if (!sums[column]) continue;
        let before = 0;
        for (let other = 0; other < value; other++) before += weights[column * kinds + other];
        const part = weights[column * kinds + value] / sums[column];
        if (part > 0) context.fillRect(column, top + tall * before / sums[column], 1, tall * part);
      }
    }
  }

  const strength = (lane, attributes) => {
    const value = lane.number === undefined ? undefined : attributes[lane.number];
    if (typeof value !== "number") return lane.number === undefined ? 1 : 0.35;
    return 0.25 + 0.75 * Math.min(1, Math.max(0, (value - lane.low) / (lane.high - lane.low)));
  };

  function drawMarks(lane, first, last, x, width) {
    const tall = lane.height - 9, foot = lane.top + lane.height - 4;
    const tallest = new Float32Array(Math.ceil(width) + 2);
    context.fillStyle = colour[lane.hue];
    let drawn = -1e9;
    for (let i = first; i < last; i++) {
      const [from, to, attributes] = lane.items[i];
      const part = strength(lane, attributes);
      if (to > from) {
        const a = x(from), b = x(to);
        if (b < drawn + 0.5) continue;
        drawn = Math.max(b, a + 1.5);
        context.globalAlpha = 0.35 + 0.65 * part;
        context.beginPath();
        context.roundRect(a, lane.top + 9, drawn - a, lane.height - 17, Math.min(3, (drawn - a) / 2));
        context.fill();
      } else {
        const column = Math.round(x(from));
        if (column >= 0 && column < tallest.length && tallest[column] < part) tallest[column] = part;
      }
    }
    context.globalAlpha = 1;
    for (let column = 0; column < tallest.length; column++) {
      if (tallest[column]) context.fillRect(column - 0.75, foot - tall * tallest[column], 1.75, tall * tallest[column]);
    }
  }

  function drawCurve(lane, first, last, x, width) {
    const columns = Math.ceil(width) + 1;
    const low = new Float32Array(columns).fill(2), high = new Float32Array(columns).fill(-1);
    for (let i = first; i < last; i++) {
      const value = lane.items[i][2][lane.number];
      const column = Math.round(x(lane.items[i][0]));
      if (typeof value !== "number" || column < 0 || column >= columns) continue;
      const part = Math.min(1, Math.max(0, (value - lane.low) / (lane.high - lane.low)));
      low[column] = Math.min(low[column], part);
      high[column] = Math.max(high[column], part);
    }
    const tall = lane.height - 10, foot = lane.top + lane.height - 5;
    context.strokeStyle = colour[lane.hue];
    context.lineWidth = 1.4;
    context.beginPath();
    let begun = false;
    for (let column = 0; column < columns; column++) {
      if (high[column] < 0) continue;
      if (begun) context.lineTo(column, foot - tall * low[column]);
      else context.moveTo(column, foot - tall * low[column]);
      context.lineTo(column, foot - tall * high[column]);
      begun = true;
    }
    context.stroke();
  }

  function setView(from, to) {
    const least = Math.min(end, 0.5);
    const span = Math.min(end, Math.max(least, to - from));
    view.from = Math.min(Math.max(0, from), end - span);
    view.to = view.from + span;
    redraw();
  }
  function zoom(factor, around) {
    const middle = around === undefined ? (selected ? Math.min(Math.max(selected.marks[0], view.from), view.to) : (view.from + view.to) / 2) : around;
    setView(middle - (middle - view.from) * factor, middle + (view.to - middle) * factor);
  }
  const timeAt = (event) => {
    const box = canvas.getBoundingClientRect();
    return view.from + ((event.clientX - box.left) / box.width) * (view.to - view.from);
  };
  $("zoom-in").onclick = () => zoom(0.5);
  $("zoom-out").onclick = () => zoom(2);
  $("zoom-fit").onclick = () => setView(0, end);
  $("zoom-segment").onclick = () => { if (selected) showOnTimeline(selected, true); };
  function showOnTimeline(segment, close) {
    const [from, to] = segment.marks, span = to - from;
    if (close) setView(from - span, to + span);
    else if (from < view.from || to > view.to) setView(from - (view.to - view.from) / 2, from + (view.to - view.from) / 2);
  }

  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(event.deltaY * 0.003), timeAt(event));
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      const move = (event.deltaX / canvas.clientWidth) * (view.to - view.from);
      setView(view.from + move, view.to + move);
    }
  }, { passive: false });
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, from: view.from, to: view.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) {
      const pixels = event.clientX - drag.x;
      if (Math.abs(pixels) > 4) { drag.moved = true; canvas.classList.add("dragging"); }
      if (drag.moved) {
        const move = (-pixels / canvas.clientWidth) * (drag.to - drag.from);
        setView(drag.from + move, drag.to + move);
        $("tip").hidden = true;
        return;
      }
    }
    hover(event);
  });
  canvas.addEventListener("pointerup", (event) => {
    const moved = drag && drag.moved;
    drag = null;
    canvas.classList.remove("dragging");
    if (moved) return;
    const hit = find(event);
    if (hit.segment) select(hit.segment, true);
  });
  canvas.addEventListener("pointercancel", () => { drag = null; canvas.classList.remove("dragging"); });
  canvas.addEventListener("pointerleave", () => { $("tip").hidden = true; });
  canvas.addEventListener("dblclick", (event) => zoom(0.4, timeAt(event)));
  canvas.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), Enter: () => selected && select(selected, true),
      "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), Home: () => setView(0, view.to - view.from),
      End: () => setView(end - (view.to - view.from), end), 0: () => setView(0, end),
    };
    if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); keys[event.key](); }
  });

  // What lies under the pointer: the lane, its items there, and the segment that a click means.
  function find(event) {
    const box = canvas.getBoundingClientRect();
    const y = event.clientY - box.top, time = timeAt(event);
    const near = ((view.to - view.from) / box.width) * 3;
    const lane = lanes.find((l) => y >= l.top && y < l.top + l.height);
    const hits = [];
    if (lane) {
      const hold = lane.shape === "strip" ? lane.hold : 0;
      const last = lower(lane.items, time + near);
      for (let i = lower(lane.items, time - near - lane.longest - hold); i < last; i++) {
        const [from, to] = lane.items[i];
        const next = i + 1 < lane.items.length ? lane.items[i + 1][0] : end;
        const until = to > from ? to : hold ? Math.min(next, from + hold) : from;
        if (from <= time + near && until >= time - near) hits.push(lane.items[i]);
      }
    }
    let segment = null;
    if (lane && lane.kind === "segment") {
      const row = Math.floor((y - lane.top - 7) / 20);
      const found = hits.filter((hit) => lane.rows === 1 || hit[2].row === row);
      segment = nearest(found, time)?.[2] || null;
    } else if (lane && lane.kind === "replay") {
      const index = nearest(hits, time)?.[2].segment;
      segment = index === undefined || index === null ? null : segments[index];
    } else {
      segment = segments.filter((s) => s.marks[0] <= time && time < s.marks[1]).pop() || null;
    }
    return { lane, hits, time, near, segment };
  }
  const nearest = (hits, time) => {
    const away = (hit) => hit[0] <= time && time <= hit[1] ? 0 : Math.min(Math.abs(hit[0] - time), Math.abs(hit[1] - time));
    return hits.slice().sort((a, b) => away(a) - away(b) || b[0] - a[0])[0];
  };

  function hover(event) {
    const { lane, hits, time, segment } = find(event);
    const tip = $("tip");
    canvas.classList.toggle("over", Boolean(segment));
    if (!lane || (!hits.length && lane.kind !== "observation") || !hits.length) { tip.hidden = true; return; }
    const lines = [];
    if (lane.kind === "observation") {
      lines.push(el("b", null, (lane.title || lane.name) + (hits.length > 6 ? " · " + count(hits.length, "observation") + " here" : "")));
      const middle = Math.max(0, Math.min(hits.length - 5, hits.findIndex((hit) => hit[0] >= time) - 2));
      for (const hit of hits.slice(middle, middle + 5)) {
        const when = clock(hit[0], 3) + (hit[1] > hit[0] ? " to " + clock(hit[1], 3) : "");
        lines.push(el("div", null, when + "  " + Object.entries(hit[2]).map(attribute).join(", ")));
      }
    } else if (segment) {
      lines.push(el("b", null, segment.title));
      lines.push(el("div", null, segment.end === null ? "from " + clock(segment.start, 3) + ", still open" : clock(segment.marks[0], 3) + " to " + clock(segment.marks[1], 3) + " · " + seconds(segment.marks[1] - segment.marks[0])));
      for (const choice of segment.choices.filter((c) => c.isIn)) lines.push(el("div", null, "in " + choice.replay.name + (choice.score !== null ? ", score " + points(choice.score) : "")));
    } else {
      const choice = hits[0][2];
      lines.push(el("b", null, lane.name), el("div", null, clock(choice.from, 3) + " to " + clock(choice.to, 3)));
    }
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const box = canvas.getBoundingClientRect();
    const left = Math.min(Math.max(4, event.clientX - box.left + 14), box.width - tip.offsetWidth - 4);
    const below = event.clientY - box.top + 18;
    tip.style.left = left + "px";
    tip.style.top = (below + tip.offsetHeight > height + 60 ? event.clientY - box.top - tip.offsetHeight - 10 : below) + "px";
  }

  /* ---- player ---- */
  const video = $("video");
  let playing = null;
  const playlistsPlay = video.canPlayType("application/vnd.apple.mpegurl") !== "";
  const playable = (path) => path && (playlistsPlay || !path.endsWith(".m3u8"));
  const clipOf = (segment, track) => segment.clips.find((clip) => clip.track === track) || segment.clips[0] || null;

  function load(path, poster, what, start) {
    playing = what;
    $("empty").hidden = true;
    video.hidden = false;
    if (poster) video.poster = href(poster); else video.removeAttribute("poster");
    video.src = href(path);
    if (start) video.play().catch(() => {});
  }
  function nothing(...message) {
    playing = null;
    video.pause();
    video.hidden = true;
    video.removeAttribute("src");
    $("empty").hidden = false;
    $("empty").replaceChildren(...message);
  }
  function play(segment, start, queue) {
    const clip = clipOf(segment, queue ? queue.replay.track : undefined);
    $("playing").textContent = (queue ? queue.replay.name + ", clip " + (queue.at + 1) + " of " + queue.list.length + ": " : "") + segment.title;
    if (!clip) {
      nothing(segment.end === null ? "This segment is still open: it has a start, but no end yet." : "No clip was cut for this segment in this run.");
    } else if (!playable(clip.path)) {
      nothing("This clip is an HLS playlist, which this browser does not play by itself. ", el("a", { href: href(clip.path) }, "Open it in a player"));
    } else {
      const marks = markOn(segment, clip.track) || segment.marks;
      load(clip.path, segment.thumbnail, { map: [[0, marks[0], marks[1] - marks[0]]], queue }, start);
    }
  }
  function playReplay(replay) {
    const list = replay.chosen.filter((choice) => choice.segment !== null).map((choice) => segments[choice.segment]);
    if (playable(replay.mp4)) {
      let offset = 0;
      const map = replay.chosen.map((choice) => {
        const row = [offset, choice.from, choice.to - choice.from];
        offset += row[2];
        return row;
      });
      $("playing").textContent = replay.name + " · " + clock(offset);
      load(replay.mp4, list[0] && list[0].thumbnail, { map }, true);
    } else if (list.length) {
      select(list[0], true, { replay, list, at: 0 });
    }
    $("screen").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }
  video.addEventListener("timeupdate", () => {
    if (!playing) return;
    const row = playing.map.filter(([offset]) => offset <= video.currentTime + 0.001).pop();
    playhead = row ? row[1] + Math.min(video.currentTime - row[0], row[2]) : null;
    redraw();
  });
  video.addEventListener("ended", () => {
    const queue = playing && playing.queue;
    if (queue && queue.at + 1 < queue.list.length) select(queue.list[queue.at + 1], true, { ...queue, at: queue.at + 1 });
  });
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    const path = video.getAttribute("src");
    nothing("The browser cannot play this file. It may have been moved, or its format is not supported. ", el("a", { href: path }, "Open the file"));
  });
  const step = (by) => {
    if (!segments.length) return;
    const next = selected ? segments[selected.index + by] : segments[0];
    if (next) select(next, !video.paused);
  };
  $("previous").onclick = () => step(-1);
  $("next").onclick = () => step(1);

  /* ---- details ---- */
  function select(segment, start, queue) {
    selected = segment;
    playhead = null;
    $("previous").disabled = segment.index === 0;
    $("next").disabled = segment.index === segments.length - 1;
    showOnTimeline(segment);
    play(segment, start, queue);
    $("details").replaceChildren(...details(segment));
    $("details").scrollTop = 0;
    for (const node of document.querySelectorAll("[aria-current]")) node.removeAttribute("aria-current");
    for (const node of document.querySelectorAll('[data-segment="' + segment.index + '"]')) node.setAttribute("aria-current", "true");
    redraw();
  }
  function observedIn(segment) {
    const [from, to] = segment.marks;
    const found = new Map();
    for (const lane of data.lanes) {
      for (let i = lower(lane.items, from - lane.longest); i < lane.items.length && lane.items[i][0] < to; i++) {
        const item = lane.items[i];
        if (item[1] > item[0] ? item[1] <= from : item[0] < from) continue;
        for (const [name, value] of Object.entries(item[2])) {
          if (value === true || typeof value === "string") {
            const what = lane.name + " " + (value === true ? name : value);
            found.set(what, (found.get(what) || 0) + 1);
          }
        }
      }
    }
    return [...found].sort((a, b) => b[1] - a[1]);
  }
  function details(segment) {
    const nodes = [el("div", null, el("h3", null, segment.title), el("p", { class: "quiet" }, segment.id))];
    const rows = [];
    const marks = (from, to) => clock(from, 3) + (to === null ? ", still open" : " to " + clock(to, 3));
    rows.push(["Original marks", marks(segment.start, segment.end)]);
    for (const [track, [from, to]] of Object.entries(segment.opto)) rows.push(["Optimized, track " + track, marks(from, to)]);
    if (segment.end !== null) rows.push(["Length", seconds(segment.marks[1] - segment.marks[0])]);
    if (segment.timecode) rows.push(["Timecode", segment.timecode.join(" to ")]);
    nodes.push(el("dl", { class: "kv" }, rows.map(([name, value]) => [el("dt", null, name), el("dd", null, value)])));
    const own = Object.entries(segment.attributes);
    if (own.length) nodes.push(el("div", { class: "chips" }, own.map((pair) => el("span", { class: "chip" }, attribute(pair)))));
    const seen = observedIn(segment);
    if (seen.length) nodes.push(el("div", null, el("p", { class: "quiet" }, "Observed in it"), el("div", { class: "chips" }, seen.slice(0, 14).map(([what, n]) => el("span", { class: "chip" }, what + (n > 1 ? " × " + n.toLocaleString("en") : ""))))));
    if (segment.choices.length) {
      nodes.push(el("div", null, el("p", { class: "quiet" }, "Replays"), el("ul", { class: "why" }, segment.choices.map((choice) => el("li", { class: choice.isIn ? "in" : "" },
        el("b", null, choice.replay.name), choice.isIn ? ": chosen" : ": left out", choice.score !== null ? ", score " + points(choice.score) : "", el("div", null, choice.reason))))));
    }
    if (segment.clips.length) {
      nodes.push(el("div", { class: "links" }, segment.clips.map((clip) => el("a", { href: href(clip.path), title: "frames " + clip.first_frame + " to " + clip.end_frame + ", the last not included; at most " + count(clip.max_error_frames, "frame") + " off" },
        "Clip" + (segment.clips.length > 1 ? ", track " + clip.track : "") + " (" + clip.cut + ")"))));
    }
    return nodes;
  }

  /* ---- segments and replays ---- */
  const thumb = (segment, text) => el("span", { class: "thumb" }, segment && segment.thumbnail ? el("img", { src: href(segment.thumbnail), alt: "", loading: "lazy", decoding: "async" }) : el("span", null, segment ? clock(segment.start) : ""), text ? el("em", null, text) : null);
  const length = (segment) => segment.end === null ? "open" : seconds(segment.marks[1] - segment.marks[0]);
  const current = (segment) => segment && segment === selected ? "true" : null;
  function card(segment) {
    const chips = segment.choices.filter((c) => c.isIn).map((c) => el("span", { class: "chip in" }, c.replay.name + (c.score !== null ? " · " + points(c.score) : "")));
    if (!chips.length && segment.best !== null) chips.push(el("span", { class: "chip" }, "score " + points(segment.best)));
    if (segment.end === null) chips.push(el("span", { class: "chip open" }, "open"));
    return el("button", { type: "button", class: "card", "data-segment": segment.index, "aria-current": current(segment), onclick: () => select(segment, true) },
      thumb(segment, length(segment)),
      el("span", { class: "text" }, el("b", { title: segment.title }, segment.title), el("span", { class: "when" }, clock(segment.marks[0]) + (by.size > 1 ? " · " + segment.by : "")), chips.length ? el("span", { class: "chips" }, chips) : null));
  }
  // Long lists grow on demand, so that a page of thousands opens at once.
  function paged(box, list, make, host) {
    let shown = 0;
    const more = el("button", { type: "button", class: "more" });
    const grow = () => {
      box.append(...list.slice(shown, shown + PAGE).map(make));
      shown = Math.min(list.length, shown + PAGE);
      if (shown < list.length) { more.textContent = "Show more (" + (list.length - shown).toLocaleString("en") + " left)"; host.append(more); } else more.remove();
    };
    more.onclick = grow;
    grow();
  }
  function segmentView() {
    const words = $("find").value.trim().toLowerCase();
    let list = segments.filter((s) => s.words.includes(words));
    const order = $("order").value;
    if (order === "length") list = list.slice().sort((a, b) => (b.marks[1] - b.marks[0]) - (a.marks[1] - a.marks[0]) || a.index - b.index);
    if (order === "score") list = list.slice().sort((a, b) => (b.best ?? -Infinity) - (a.best ?? -Infinity) || a.index - b.index);
    if (!list.length) {
      $("view").replaceChildren(el("p", { class: "quiet" }, segments.length ? "No segment matches “" + $("find").value + "”." : "No segments were found in this event."));
      return;
    }
    const grid = el("div", { class: "grid" });
    $("view").replaceChildren(grid);
    paged(grid, list, card, $("view"));
  }
  function choiceRow(choice, number, pictures) {
    const segment = choice.segment === null ? null : segments[choice.segment];
    const title = segment ? segment.title : clock(choice.start) + " to " + clock(choice.end);
    const features = choice.features.map((f) => el("span", { class: "chip" }, f.name + (f.weight !== null ? " +" + points(f.weight) : "")));
    return el("tr", { "data-segment": segment ? segment.index : null, "aria-current": current(segment) },
      pictures ? el("td", { class: "num" }, number) : null,
      pictures ? el("td", { class: "pic" }, thumb(segment)) : null,
      el("td", null, segment ? el("button", { type: "button", onclick: () => select(segment, true) }, title) : title),
      el("td", { class: "num" }, clock(choice.from)), el("td", { class: "num" }, seconds(choice.to - choice.from)), el("td", { class: "num" }, points(choice.score)),
      el("td", null, choice.reason, features.length ? el("div", { class: "chips" }, features) : null));
  }
  function choiceTable(list, pictures, caption, host) {
    const head = [pictures && ["#", "num"], pictures && ["", "pic"], ["Segment"], ["Start", "num"], ["Length", "num"], ["Score", "num"], [pictures ? "Why chosen" : "Why left out"]].filter(Boolean);
    const body = el("tbody");
    const table = el("table", { class: "rows" }, el("caption", { class: "sr" }, caption), el("thead", null, el("tr", null, head.map(([name, kind]) => el("th", { scope: "col", class: kind }, name)))), body);
    const box = el("div", { class: "scroll" }, table);
    host.append(box);
    const numbered = list.map((choice, i) => [choice, i + 1]);
    paged(body, numbered, ([choice, number]) => choiceRow(choice, number, pictures), host);
  }
  function replayView(replay) {
    const total = replay.chosen.reduce((sum, c) => sum + c.to - c.from, 0);
    const view = $("view");
    const text = [count(replay.chosen.length, "segment") + " · " + clock(total)];
    const box = el("div", null, el("p", { class: "big" }, text));
    if (replay.limit) {
      const share = (value) => Math.min(100, (value / replay.limit) * 100) + "%";
      box.append(el("div", { class: "meter", role: "img", "aria-label": clock(total) + " of at most " + clock(replay.limit) }, el("i", { style: "width:" + share(total) }), replay.target < replay.limit ? el("u", { style: "left:" + share(replay.target) }) : null));
      box.append(el("p", { class: "quiet" }, "asked for " + clock(replay.target) + (replay.limit > replay.target ? ", at most " + clock(replay.limit) : "") + " · track " + replay.track + (replay.total ? " · total score " + points(replay.total) : "")));
    } else {
      box.append(el("p", { class: "quiet" }, (replay.mode === "features" ? "every segment with one of its features" : "the times that were asked for") + " · track " + replay.track));
    }
    const canPlay = playable(replay.mp4) || replay.chosen.some((c) => c.segment !== null && clipOf(segments[c.segment], replay.track));
    const links = el("div", { class: "links" }, canPlay ? el("button", { type: "button", class: "main", onclick: () => playReplay(replay) }, "▶ Play " + replay.name) : null,
      replay.files.map(([name, path]) => el("a", { href: href(path) }, name)));
    view.replaceChildren(el("div", { class: "summary" }, box, links));
    if (!replay.chosen.length) view.append(el("p", { class: "quiet" }, replay.processed ? "Nothing was chosen." : "This replay was not made: nothing could be chosen."));
    else choiceTable(replay.chosen, true, "Segments of " + replay.name, view);
    if (replay.left.length) {
      const fold = el("details", { class: "fold" }, el("summary", null, "Left out (" + replay.left.length.toLocaleString("en") + ")"));
      fold.addEventListener("toggle", () => { if (fold.open && !fold.querySelector("table")) choiceTable(replay.left, false, "Segments that " + replay.name + " left out", fold); });
      view.append(fold);
    }
  }

  const tabs = [];
  function show(index) {
    tabs.forEach((tab, i) => { tab.setAttribute("aria-selected", i === index); tab.tabIndex = i === index ? 0 : -1; });
    $("view").setAttribute("aria-labelledby", tabs[index].id);
    const of = tabs[index].dataset.of;
    $("filters").hidden = of !== "";
    $("filters").style.display = of === "" ? "" : "none";
    if (of === "") segmentView(); else replayView(replays[Number(of)]);
  }
  function tab(name, note, of) {
    const index = tabs.length;
    const node = el("button", { type: "button", role: "tab", id: "tab-" + index, "aria-controls": "view", "data-of": of, onclick: () => show(index) }, name, el("small", null, note));
    node.addEventListener("keydown", (event) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (tabs[to]) { event.preventDefault(); show(to); tabs[to].focus(); }
    });
    tabs.push(node);
    $("tabs").append(node);
  }
  tab("Segments", segments.length.toLocaleString("en"), "");
  replays.forEach((replay, i) => tab(replay.name, clock(replay.chosen.reduce((sum, c) => sum + c.to - c.from, 0)), String(i)));
  $("find").addEventListener("input", segmentView);
  $("order").addEventListener("change", segmentView);
  for (const option of [...$("order").options]) if (option.value === "score" && segments.every((s) => s.best === null)) option.remove();

  $("files").append(...data.files.map((file) => el("li", null, el("a", { href: href(file.path) }, file.path), " ", el("span", null, file.what))));

  readColours();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); redraw(); });
  new ResizeObserver(redraw).observe(canvas);
  show(0);
  const first = replays.flatMap((r) => r.chosen).map((c) => c.segment).find((s) => s !== null);
  if (segments.length) select(segments[first === undefined ? 0 : first], false);
  else {
    nothing("There is no segment to play.");
    $("details").append(el("p", { class: "quiet" }, "Details of a segment stand here once there is one."));
    for (const id of ["previous", "next", "zoom-segment"]) $(id).disabled = true;
  }
  draw();
})();
