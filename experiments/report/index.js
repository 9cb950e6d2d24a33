
// Index of runs: filter the table, and compare two runs; all text enters by textContent.
{
  const runs = JSON.parse(document.getElementById("data").textContent);
  const table = document.querySelector("table.runs");
  const rows = [...table.tBodies[0].rows];
  const filters = [...document.querySelectorAll("[data-filter]")];
  const count = document.getElementById("count");
  const side = document.getElementById("side");
  let chosen = [];
  document.getElementById("filters").hidden = false;

  // A row is shown if every filter accepts it.
  const accepts = {
    kind: (row, value) => row.dataset.kind === value,
    creator: (row, value) => JSON.parse(row.dataset.creator).includes(value),
    method: (row, value) => JSON.parse(row.dataset.method).includes(value),
    task: (row, value) => row.dataset.task === value,
    name: (row, value) => row.dataset.name.toLowerCase().includes(value.trim().toLowerCase()),
  };
  function filter() {
    for (const row of rows)
      row.hidden = !filters.every((f) => !f.value || accepts[f.dataset.filter](row, f.value));
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent =
      shown === rows.length
        ? `${rows.length} runs and comparisons`
        : `${shown} of ${rows.length} runs and comparisons`;
  }
  for (const element of filters)
    for (const event of ["input", "change"]) element.addEventListener(event, filter);
  filter();

  // The third choice replaces the first.
  for (const row of rows) {
    const box = row.querySelector(".pick input");
    if (!box) continue;
    box.disabled = false;
    box.addEventListener("change", () => {
      const index = Number(row.dataset.index);
      chosen = chosen.filter((other) => other !== index);
      if (box.checked) chosen.push(index);
      if (chosen.length > 2) uncheck(chosen.shift());
      show();
    });
  }
  function uncheck(index) {
    const row = rows.find((other) => Number(other.dataset.index) === index);
    row.querySelector(".pick input").checked = false;
  }

  function make(tag, name, ...children) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
    return element;
  }

  function show() {
    side.replaceChildren();
    side.hidden = chosen.length === 0;
    if (chosen.length === 1) {
      side.append(make("p", "note", `Choose a second run to compare with ${runs[chosen[0]].name}.`));
    } else if (chosen.length === 2) {
      const pair = chosen.map((index) => runs[index]);
      side.append(make("h2", "", `${pair[0].name} and ${pair[1].name}`));
      for (const run of pair)
        if (run.finding) side.append(make("p", "", make("b", "", `${run.name}: `), run.finding));
      side.append(scores(pair), charts(pair), differing(pair));
    }
  }

  const format = (value, share) =>
    typeof value !== "number" ? "–" : share ? `${(100 * value).toFixed(1)} %` : value.toFixed(3);

  function grid(caption, header, body) {
    const head = make("tr", "", ...header.map((text) => make("th", "", text)));
    const lines = body.map((cells) => make("tr", "", ...cells.map((cell) => make("td", "", cell))));
    const inner = make("table", "", make("thead", "", head), make("tbody", "", ...lines));
    return make("div", "", make("p", "caption", caption), make("div", "scroll", inner));
  }

  // Last gold rewards and win rates, by suite of a run or by arm of a comparison.
  function scores(pair) {
    const results = pair.map((run) => {
      const byName = new Map();
      for (const [suite, curve] of Object.entries(run.curves))
        byName.set(suite, [curve.gold.at(-1), curve.win_rate.at(-1)]);
      for (const [arm, score] of Object.entries(run.scores)) byName.set(arm, [score.gold, score.win_rate]);
      return byName;
    });
    const names = [...new Set(results.flatMap((byName) => [...byName.keys()]))];
    const body = names.map((name) => [
      name,
      ...[0, 1].flatMap((k) => results.map((byName) => format(byName.get(name)?.[k], k === 1))),
    ]);
    const header = ["", ...["gold", "win rate"].flatMap((what) => pair.map((run) => `${what}, ${run.name}`))];
    return grid("Last results", header, body);
  }

  function charts(pair) {
    const suites = [...new Set(pair.flatMap((run) => Object.keys(run.curves)))];
    const box = make("div", "grid");
    for (const [key, title] of [["gold", "Gold reward"], ["win_rate", "Win rate"]])
      for (const suite of suites) {
        const lines = pair.map((run, i) => ({ name: run.name, place: i, ...points(run.curves[suite], key) }));
        if (lines.some((line) => line.y.length)) box.append(chart(`${title}, ${suite}`, lines, key === "win_rate"));
      }
    return box;
  }

  function points(curve, key) {
    const known = (curve?.round ?? []).map((x, i) => [x, curve[key][i]]).filter(([, y]) => typeof y === "number");
    return { x: known.map(([x]) => x), y: known.map(([, y]) => y) };
  }

  const SVG = document.getElementById("blank").namespaceURI;
  function draw(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function chart(title, lines, share) {
    const [width, height, left, right, top, bottom] = [300, 170, 46, 10, 8, 26];
    const xs = lines.flatMap((line) => line.x);
    const ys = lines.flatMap((line) => line.y);
    const range = (values) => [Math.min(...values), Math.max(...values)];
    let [[x0, x1], [y0, y1]] = [range(xs), range(ys)];
    if (x0 === x1) x1 += 1;
    const pad = 0.05 * (y1 - y0) || 0.05;
    [y0, y1] = [y0 - pad, y1 + pad];
    const across = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
    const up = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - bottom - top);
    const words = lines
      .filter((line) => line.y.length)
      .map((line) => `${line.name} from ${format(line.y[0], share)} to ${format(line.y.at(-1), share)}`);
    const svg = draw("svg", { class: "lines", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}, by round. ${words.join("; ")}` });
    for (const part of [0, 0.5, 1]) {
      const y = y0 + pad + part * (y1 - y0 - 2 * pad);
      svg.append(draw("path", { class: "grid", d: `M${left} ${up(y)}H${width - right}` }));
      svg.append(draw("text", { x: left - 5, y: up(y) + 3.5, "text-anchor": "end" }, format(y, share)));
    }
    for (const x of [x0, x1])
      svg.append(draw("text", { x: across(x), y: height - 10, "text-anchor": x === x0 ? "start" : "end" }, x === x0 ? `round ${x}` : x));
    for (const line of lines) {
      const d = line.x.map((x, i) => `${i ? "L" : "M"}${across(x)} ${up(line.y[i])}`).join("");
      const dash = line.place ? "5 3" : "none";
      svg.append(draw("path", { d, style: `fill:none;stroke:var(--s${line.place});stroke-width:2;stroke-dasharray:${dash}` }));
    }
    const legend = make("ul", "legend");
    for (const line of lines) {
      const swatch = draw("svg", { class: "swatch", viewBox: "0 0 28 10", "aria-hidden": "true" });
      swatch.append(draw("path", { d: "M0 5h28", style: `stroke:var(--s${line.place});stroke-dasharray:${line.place ? "5 3" : "none"}` }));
      legend.append(make("li", "", swatch, line.name));
    }
    return make("figure", "", make("figcaption", "", title), legend, svg);
  }

  function differing(pair) {
    const names = [...new Set(pair.flatMap((run) => Object.keys(run.settings)))];
    const body = names
      .map((name) => [name, ...pair.map((run) => run.settings[name] ?? "–")])
      .filter(([, first, second]) => first !== second);
    if (!body.length) return make("p", "", "All settings are equal.");
    return grid(`Settings that differ: ${body.length} of ${names.length}`, ["setting", ...pair.map((run) => run.name)], body);
  }
}
